"""Lists come in pages."""

from yuanjing.domain.errors import InvalidInputError

PAGE_SIZE_MAX = 1000


def page_size(limit: int) -> int:
    """The limit of one page.

    Raises:
        InvalidInputError: it is out of bounds.
    """
    if not 1 <= limit <= PAGE_SIZE_MAX:
        raise InvalidInputError(f"limit: from 1 to {PAGE_SIZE_MAX}", param="limit")
    return limit
