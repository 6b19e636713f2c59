"""The demonstration: both sides wired together. Beside `firmware.app`, the only place that knows both."""
