"""LawPay's payment gateway (AffiniPay, 8am): read only."""
