use std::sync::Arc; use std::sync::atomic::{AtomicU8,Ordering};
#[derive(Default)] pub struct Health(AtomicU8);
impl Health { pub fn is_healthy(&self)->bool{self.0.load(Ordering::Relaxed)==1} pub fn set_healthy(&self){let _=self.0.compare_exchange(0,1,Ordering::Relaxed,Ordering::Relaxed);} pub fn degrade(&self){self.0.store(2,Ordering::Relaxed)} }
pub async fn serve(_l: tokio::net::TcpListener,_h: Arc<Health>){ std::future::pending().await }
