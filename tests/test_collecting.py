"""Finding the tests is quick, so that one of them is, too."""


def test_collecting_the_tests_imports_nothing_heavy(imported_by_collecting: set[str]) -> None:
    assert not imported_by_collecting, "import it within the tests or fixtures that need it"
