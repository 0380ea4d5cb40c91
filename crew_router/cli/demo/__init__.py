"""What the product is for, on real recordings: tasks written for this project that three models answered on one core."""
