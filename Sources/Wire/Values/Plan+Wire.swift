import Federation
import KumiaiProto

extension Plan {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Plan> {
        arena.make(kumiai__v1__plan__init) { m in
            m.campaign = arena.string(campaign.text)
            m.base_model = arena.string(base.text)
            m.release = arena.string(release.text)
            m.base_digest = arena.bytes(model?.digest)
            m.layout_digest = arena.bytes(model?.layout)
            m.base_bytes = model?.byteCount ?? 0
            m.n_sites = sites.count
            m.sites = arena.strings(sites.map(\.description))
            m.rounds = UInt32(clamping: rounds)
            m.quorum = UInt32(clamping: quorum)
            m.recruiting_seconds = UInt32(clamping: recruitingSeconds)
            m.recruiting_deadline_seconds = UInt32(clamping: recruitingDeadlineSeconds)
            m.deadline_seconds = UInt32(clamping: deadlineSeconds)
            m.maximum_attempts = UInt32(clamping: maximumAttempts)
            m.strategy = strategy.packed(in: arena)
            m.bounds = arena.make(kumiai__v1__bounds__init) {
                $0.weight = bounds.weight
                $0.norm = bounds.norm
            }
            m.training = training.packed(in: arena, compression)
            if extensions != .none {
                m.extensions = arena.make(kumiai__v1__extensions__init) {
                    $0.seconds = UInt32(clamping: extensions.seconds)
                    $0.maximum = UInt32(clamping: extensions.maximum)
                }
            }
            if staleness != .refused {
                m.lateness = arena.make(kumiai__v1__lateness__init) {
                    $0.rounds = UInt32(clamping: staleness.rounds)
                    $0.weight_percent = UInt32(clamping: staleness.weightPercent)
                }
            }
            m.retention_seconds = UInt64(clamping: retentionSeconds)
        }
    }

    init(_ m: Kumiai__V1__Plan) throws {
        let bounds = try Field.present(m.bounds, "plan.bounds").pointee
        let training = try Field.present(m.training, "plan.training").pointee
        self.init(
            campaign: try Field.name(m.campaign, "plan.campaign"),
            base: try Field.name(m.base_model, "plan.base_model"),
            release: try Field.name(m.release, "plan.release"),
            model: try Self.model(m),
            sites: try Field.list(m.sites, m.n_sites, "plan.sites", atMost: PlanLimits.sites) {
                try Field.site($0, "plan.sites")
            },
            rounds: Int(m.rounds),
            quorum: Int(m.quorum),
            recruitingSeconds: Int(m.recruiting_seconds),
            recruitingDeadlineSeconds: Int(m.recruiting_deadline_seconds),
            deadlineSeconds: Int(m.deadline_seconds),
            maximumAttempts: Int(m.maximum_attempts),
            extensions: m.extensions.map {
                Extensions(seconds: Int($0.pointee.seconds), maximum: Int($0.pointee.maximum))
            } ?? .none,
            staleness: m.lateness.map {
                StalenessPolicy(rounds: Int($0.pointee.rounds), weightPercent: Int($0.pointee.weight_percent))
            } ?? .refused,
            retentionSeconds: Int(clamping: m.retention_seconds),
            strategy: try Strategy(try Field.present(m.strategy, "plan.strategy").pointee),
            bounds: Bounds(weight: bounds.weight, norm: try Field.finite(bounds.norm, "plan.bounds.norm")),
            training: try Training(training),
            compression: try Compression(of: training)
        )
    }

    private static func model(_ m: Kumiai__V1__Plan) throws -> ModelReference? {
        guard let model = try Field.optionalDigest(m.base_digest, "plan.base_digest") else { return nil }
        return ModelReference(
            digest: model,
            layout: try Field.digest(m.layout_digest, "plan.layout_digest"),
            byteCount: m.base_bytes
        )
    }
}
