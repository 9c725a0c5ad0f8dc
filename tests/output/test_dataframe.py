import pytest

import mien
from mien.errors import UsageError


@pytest.mark.parametrize("results", [[3], "happy", [None]])
def test_what_is_no_result_is_refused_by_its_type(results):
    with pytest.raises(UsageError, match=r"^a (int|str|NoneType) is no row of a table: expected what mien.recognize"):
        mien.to_pandas(results)
