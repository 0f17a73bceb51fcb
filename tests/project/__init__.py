"""Documents, package, settings and orchestration, each in step with the code."""
