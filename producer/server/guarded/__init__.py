"""An installation as one principal may see and change it; what is changed goes into the audit trail."""
