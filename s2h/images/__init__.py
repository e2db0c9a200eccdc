"""Images: how a record names them (`references`), how they are opened (`decoding`) and where they are stored (`store`)."""
