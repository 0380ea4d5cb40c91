"""The main job on real recordings: 121 graded tasks that three models answered on a machine with two cores."""
