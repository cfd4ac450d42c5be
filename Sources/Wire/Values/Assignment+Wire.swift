import Federation
import KumiaiProto

extension Assignment {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Assignment> {
        arena.make(kumiai__v1__assignment__init) { m in
            switch self {
            case .rest(let reason):
                m.kind_case = KUMIAI__V1__ASSIGNMENT__KIND_REST
                m.rest = arena.make(kumiai__v1__rest__init) { $0.reason = arena.string(reason) }
            case .train(let task):
                m.kind_case = KUMIAI__V1__ASSIGNMENT__KIND_TRAIN
                m.train = task.packed(in: arena)
            case .finished(let end, let model):
                m.kind_case = KUMIAI__V1__ASSIGNMENT__KIND_FINISHED
                m.finished = arena.make(kumiai__v1__finished__init) {
                    $0.campaign = arena.string(end.campaign.text)
                    $0.completed = end.completed ? 1 : 0
                    $0.model_digest = arena.bytes(end.model)
                    $0.reason = arena.string(end.reason)
                    $0.model_bytes = model?.byteCount ?? 0
                }
            }
        }
    }

    init(_ m: Kumiai__V1__Assignment) throws {
        switch m.kind_case {
        case KUMIAI__V1__ASSIGNMENT__KIND_REST:
            self = .rest(
                reason: try Field.text(try Field.present(m.rest, "assignment.rest").pointee.reason, "rest.reason")
            )
        case KUMIAI__V1__ASSIGNMENT__KIND_TRAIN:
            self = .train(try TrainingTask(try Field.present(m.train, "assignment.train").pointee))
        case KUMIAI__V1__ASSIGNMENT__KIND_FINISHED:
            let finished = try Field.present(m.finished, "assignment.finished").pointee
            let end = CampaignEnd(
                campaign: try Field.name(finished.campaign, "finished.campaign"),
                completed: finished.completed != 0,
                reason: try Field.text(finished.reason, "finished.reason"),
                model: try Field.digest(finished.model_digest, "finished.model_digest")
            )
            let isSized = finished.model_bytes > 0
            self = .finished(
                end,
                model: isSized ? BlobReference(digest: end.model, byteCount: finished.model_bytes) : nil
            )
        default: throw WireError("assignment", "unknown kind")
        }
    }
}

extension TrainingTask {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Train> {
        arena.make(kumiai__v1__train__init) { m in
            m.campaign = arena.string(campaign.text)
            m.round = UInt32(clamping: key.round)
            m.attempt = UInt32(clamping: key.attempt)
            m.rounds = UInt32(clamping: rounds)
            m.model_digest = arena.bytes(model.digest)
            m.model_bytes = model.byteCount
            m.layout_digest = arena.bytes(model.layout)
            m.adapter_digest = arena.bytes(adapter?.digest)
            m.adapter_bytes = adapter?.byteCount ?? 0
            m.deadline_ms = deadline.milliseconds
            m.training = training.packed(in: arena, compression)
            m.late_rounds = UInt32(clamping: lateRounds)
            m.lost_update = lostUpdate?.packed(in: arena)
        }
    }

    init(_ m: Kumiai__V1__Train) throws {
        let training = try Field.present(m.training, "train.training").pointee
        self.init(
            campaign: try Field.name(m.campaign, "train.campaign"),
            key: RoundKey(round: Int(m.round), attempt: Int(m.attempt)),
            rounds: Int(m.rounds),
            model: ModelReference(
                digest: try Field.digest(m.model_digest, "train.model_digest"),
                layout: try Field.digest(m.layout_digest, "train.layout_digest"),
                byteCount: m.model_bytes
            ),
            adapter: try Field.optionalDigest(m.adapter_digest, "train.adapter_digest").map {
                BlobReference(digest: $0, byteCount: m.adapter_bytes)
            },
            deadline: Timestamp(milliseconds: m.deadline_ms),
            training: try Training(training),
            compression: try Compression(of: training),
            lateRounds: Int(m.late_rounds),
            lostUpdate: try m.lost_update.map { try Receipt($0.pointee) }
        )
        // Apply the plan's limits to the coordinator's numbers too, because sizes are allocated from them.
        guard self.training.problems.isEmpty, compression.problems.isEmpty, (1...PlanLimits.rounds).contains(rounds),
            (1...rounds).contains(key.round),
            key.attempt > 0
        else {
            throw WireError("train", "numbers outside the limits of a plan")
        }
    }
}
