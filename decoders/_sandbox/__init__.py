"""Where towns' own scripts run: processes of their own, with limits of time, memory and size."""
