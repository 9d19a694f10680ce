//! Two tenants: nobody reaches another namespace by any field.
