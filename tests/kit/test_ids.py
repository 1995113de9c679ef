import re

from yuanjing.kit.ids import sortable_id, usage_id


def test_usage_ids_look_like_the_seeds_and_can_stand_on_a_command_line():
    made = [usage_id() for _ in range(20_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{20}", one) for one in made)
    assert {one[0] for one in made} == set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


def test_sortable_ids_have_their_prefix_and_26_digits():
    assert re.fullmatch(r"cus_[0-9a-hjkmnp-tv-z]{26}", sortable_id("cus"))


def test_sortable_ids_sort_by_the_order_in_which_they_were_made():
    """Also those of one millisecond, in which some hundreds are made here; and nobody can count on to the next one."""
    made = [sortable_id("tpn") for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert len({one[-8:] for one in made}) == len(made)
