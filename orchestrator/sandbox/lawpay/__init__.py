"""The stand-in LawPay: its gateway's API, its payment pages and its unsigned webhooks."""
