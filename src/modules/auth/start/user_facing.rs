//! Joins what is asked of users in the browser with what it needs.

use std::sync::Arc;

use super::Core;
use crate::{
    kernel::{Clock, Random},
    modules::auth::application::{
        AttemptLimiter, Authenticate, IssueTokens, RevocationSink,
        oauth::{
            Authorize, BeginGrant, BrowserSessions, Consents, Devices, EndSession, GiveApproved, Interactions,
            PushRequest, RedeemCode, UserFacing, UserInfo,
        },
    },
};

/// What the start has at hand.
pub(super) struct Joints<'a> {
    pub(super) authenticate: Authenticate,
    pub(super) attempts: Arc<dyn AttemptLimiter>,
    pub(super) tokens: IssueTokens,
    pub(super) revocations: Arc<dyn RevocationSink>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) random: &'a Arc<dyn Random>,
}

impl Core {
    pub(super) fn user_facing(&self, joints: Joints<'_>) -> UserFacing {
        let Joints { authenticate, attempts, tokens, revocations, clock, random } = joints;
        let audit = self.audit(clock, random);
        let interactions = Interactions {
            store: self.store.clone(),
            digests: self.issuer.clone(),
            clock: clock.clone(),
            random: random.clone(),
        };
        let browsers = BrowserSessions {
            authenticate,
            users: self.store.clone(),
            sessions: self.store.clone(),
            store: self.store.clone(),
            interactions: interactions.clone(),
            digests: self.issuer.clone(),
            revocations: revocations.clone(),
            clock: clock.clone(),
            random: random.clone(),
            settings: self.settings.clone(),
        };
        let give = GiveApproved {
            users: self.store.clone(),
            sessions: self.store.clone(),
            begin: BeginGrant { sessions: self.store.clone(), tokens, audit: audit.clone(), clock: clock.clone() },
            id_tokens: self.id_tokens(clock),
            clock: clock.clone(),
            random: random.clone(),
        };
        UserFacing {
            authorize: Authorize {
                clients: self.store.clone(),
                consents: self.store.clone(),
                codes: self.store.clone(),
                interactions: interactions.clone(),
                issuer: self.issuer.clone(),
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: self.settings.clone(),
            },
            push_request: PushRequest {
                interactions,
                issuer: self.issuer.clone(),
                clock: clock.clone(),
                settings: self.settings.clone(),
            },
            redeem_code: RedeemCode {
                codes: self.store.clone(),
                give: give.clone(),
                digests: self.issuer.clone(),
                revocations: revocations.clone(),
                audit: audit.clone(),
                settings: self.settings.clone(),
            },
            devices: Devices {
                store: self.store.clone(),
                clients: self.store.clone(),
                attempts,
                digests: self.issuer.clone(),
                give,
                audit: audit.clone(),
                clock: clock.clone(),
                random: random.clone(),
                settings: self.settings.clone(),
            },
            consents: Consents {
                store: self.store.clone(),
                clients: self.store.clone(),
                revocations,
                audit: audit.clone(),
                clock: clock.clone(),
                settings: self.settings.clone(),
            },
            end_session: EndSession {
                clients: self.store.clone(),
                codes: self.store.clone(),
                sessions: self.store.clone(),
                browsers: browsers.clone(),
                issuer: self.issuer.clone(),
                audit,
            },
            user_info: UserInfo { users: self.store.clone() },
            browsers,
        }
    }
}
