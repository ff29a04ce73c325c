import mutants
import pytest


def test_there_are_at_least_40_mutants_with_unique_names():
    names = [mutant.name for mutant in mutants.MUTANTS]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_replaces_code_that_occurs_once(mutant):
    assert (mutants.ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert "\n" not in mutant.old + mutant.new


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_the_test_files_of_each_mutant_exist(mutant):
    assert mutant.test_files()
    assert all((mutants.ROOT / path).is_file() for path in mutant.test_files())


def test_apply_writes_the_fault_into_a_copy(tmp_path):
    (tmp_path / "code.py").write_text("a = 1\nb = 2\n")
    mutants.Mutant("fault", "code.py", "b = 2", "b = 3", "").apply(tmp_path)
    assert (tmp_path / "code.py").read_text() == "a = 1\nb = 3\n"
    with pytest.raises(ValueError, match=r"must occur once in code\.py. It occurs 0 times"):
        mutants.Mutant("fault", "code.py", "c", "d", "").apply(tmp_path)


def test_failed_test_reads_the_name_from_the_output_of_pytest():
    output = "F\nFAILED tests/data/test_a.py::test_b[an array] - AssertionError: assert 1 == 2\n"
    assert mutants.failed_test(output) == "`test_b[an array]`"
    assert mutants.failed_test("") == "a test"
