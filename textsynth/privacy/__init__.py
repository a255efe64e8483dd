"""Who a text is about: identifiers found, replaced and recognized again. Functions on English texts."""
