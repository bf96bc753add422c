"""stub"""


def reconcile(*_: object, **__: object) -> list[str]:
    """Nothing yet."""
    return []
