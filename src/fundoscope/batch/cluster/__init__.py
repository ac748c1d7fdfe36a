"""Reading photographs on the machines of a Ray cluster; nothing else imports Ray."""
