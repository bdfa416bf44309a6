//! The vendor's catalogue.

use super::{
    model::{Product, ProductId},
    store,
};
use crate::{
    db::{DbError, Tx},
    kits::Kits,
};

/// A product as somebody enters it.
#[derive(Debug, Clone)]
pub struct ProductInput {
    /// The vendor's reference, unique.
    pub reference: String,
    /// The name people know.
    pub name: String,
    /// Alarm panel, NAS, display.
    pub kind: String,
    /// Warranty in months.
    pub warranty_months: u32,
    /// Where the label is, in a sentence.
    pub label_help: String,
}

/// Why a product was not written.
#[derive(Debug, thiserror::Error)]
pub enum ProductError {
    /// The reference.
    #[error("`{0}` is no product reference; use 1 to 40 letters, digits, dots and dashes, like AX-200")]
    Reference(String),
    /// The name.
    #[error("a product needs a name of 1 to 80 characters")]
    Name,
    /// The warranty.
    #[error("a warranty has 0 to 240 months, not {0}")]
    Warranty(u32),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Adds a product, or changes the one with that reference.
pub async fn add_product(kits: &Kits, input: ProductInput) -> Result<Product, ProductError> {
    let reference = input.reference.trim();
    let sound = (1..=40).contains(&reference.len())
        && reference.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'));
    if !sound {
        return Err(ProductError::Reference(reference.chars().take(60).collect()));
    }
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 80 {
        return Err(ProductError::Name);
    }
    if input.warranty_months > 240 {
        return Err(ProductError::Warranty(input.warranty_months));
    }
    let now = kits.now();
    let product = Product {
        id: ProductId(gatelodge_proto::CommandId::make(now, &kits.random).uuid()),
        reference: reference.to_owned(),
        name: name.to_owned(),
        kind: input.kind.trim().to_owned(),
        warranty_months: input.warranty_months,
        label_help: input.label_help.trim().to_owned(),
    };
    let mut tx = kits.db.write().await?;
    store::inventory::put_product(&mut tx, now, &product).await?;
    let kept = store::inventory::products(&mut tx).await?;
    tx.commit().await?;
    Ok(kept.into_iter().find(|kept| kept.reference == product.reference).unwrap_or(product))
}

/// The whole catalogue, by reference.
pub async fn products(tx: &mut Tx) -> Result<Vec<Product>, DbError> {
    store::inventory::products(tx).await
}
