"""When it is done, and in what order. Nothing here touches a row."""
