"""What ``z4j_doctor`` and ``z4j_status`` find out, also where much is broken."""
