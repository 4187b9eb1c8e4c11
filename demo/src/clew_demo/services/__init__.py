"""The four services of the shop, each a process of its own: shop-api, crm-api, mes-api and mes (the workshop)."""
