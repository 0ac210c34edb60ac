"""All that knows Playwright: the guard of pages, what is recorded, the trace, the installation."""
