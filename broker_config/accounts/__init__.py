"""Who there is, and who may do what: people, teams, service accounts, API keys and rights. Nothing here is stored."""
