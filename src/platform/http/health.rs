//! Health, as load balancers and people ask for it.

use async_trait::async_trait;

/// One dependency whose state decides whether this process is ready.
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// The dependency's name in the answer, such as `database`.
    fn name(&self) -> &'static str;
    /// Ok when it can be used now, else why not. MUST answer within two seconds.
    async fn check(&self) -> Result<(), String>;
}
