"""Running a decision: flows without I/O, engines that drive them, transports that speak to models."""
