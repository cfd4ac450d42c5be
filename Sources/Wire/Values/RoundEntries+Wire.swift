import Federation
import KumiaiProto

extension RoundOpening {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__RoundOpened> {
        arena.make(kumiai__v1__round_opened__init) { m in
            m.campaign = arena.string(campaign.text)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.n_cohort = cohort.count
            m.cohort = arena.strings(cohort.map(\.description))
            m.model_digest = arena.bytes(model)
            m.adapter_digest = arena.bytes(adapter)
            m.server_state_digest = arena.bytes(serverState)
            m.deadline_ms = deadline.milliseconds
        }
    }

    init(_ m: Kumiai__V1__RoundOpened) throws {
        self.init(
            campaign: try Field.name(m.campaign, "round_opened.campaign"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            cohort: try Field.list(m.cohort, m.n_cohort, "round_opened.cohort", atMost: PlanLimits.sites) {
                try Field.site($0, "round_opened.cohort")
            },
            model: try Field.digest(m.model_digest, "round_opened.model_digest"),
            adapter: try Field.optionalDigest(m.adapter_digest, "round_opened.adapter_digest"),
            serverState: try Field.optionalDigest(m.server_state_digest, "round_opened.server_state_digest"),
            deadline: Timestamp(milliseconds: m.deadline_ms)
        )
    }
}

extension RefusedUpdate {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__UpdateRefused> {
        arena.make(kumiai__v1__update_refused__init) { m in
            m.site = arena.string(site.description)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.update_digest = arena.bytes(digest)
            m.reason = refusal.reason.wireValue
            m.detail = arena.string(refusal.detail)
        }
    }

    init(_ m: Kumiai__V1__UpdateRefused) throws {
        self.init(
            site: try Field.site(m.site, "update_refused.site"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            digest: try Field.optionalDigest(m.update_digest, "update_refused.update_digest"),
            refusal: UpdateRefusal(
                try UpdateRefusal.Reason(m.reason),
                try Field.text(m.detail, "update_refused.detail")
            )
        )
    }
}

extension RoundCommit {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__RoundCommitted> {
        arena.make(kumiai__v1__round_committed__init) { m in
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.model_digest = arena.bytes(result.model)
            m.model_bytes = result.modelByteCount
            m.adapter_digest = arena.bytes(result.adapter?.digest)
            m.adapter_bytes = result.adapter?.byteCount ?? 0
            m.server_state_digest = arena.bytes(result.serverState)
            m.scale_bits = UInt32(clamping: scaleBits)
            m.total_weight = totalWeight
        }
    }

    init(_ m: Kumiai__V1__RoundCommitted) throws {
        self.init(
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            result: GlobalState(
                model: try Field.digest(m.model_digest, "round_committed.model_digest"),
                modelByteCount: m.model_bytes,
                adapter: try Field.optionalDigest(m.adapter_digest, "round_committed.adapter_digest").map {
                    BlobReference(digest: $0, byteCount: m.adapter_bytes)
                },
                serverState: try Field.optionalDigest(m.server_state_digest, "round_committed.server_state_digest")
            ),
            scaleBits: Int(m.scale_bits),
            totalWeight: m.total_weight
        )
    }
}
