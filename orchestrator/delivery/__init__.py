"""The firm's words on their way to a client: letters are written here and handed to a relay here."""
