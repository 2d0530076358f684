"""Signing in with an identity provider: authorization code with PKCE, and an ID token that is checked."""
