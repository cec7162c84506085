"""HTTP: signalling, admission of calls, the pages and the dashboard."""
