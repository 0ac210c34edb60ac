"""Verdict to page: the Allure report, the on-call page, the terminal table and the site that holds them."""
