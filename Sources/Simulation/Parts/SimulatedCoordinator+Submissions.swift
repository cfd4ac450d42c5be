import Coordinator
import Federation
import Ledger
import Wire

/// What becomes of an update that a site submits.
extension SimulatedCoordinator {
    func submit(_ update: SignedUpdate, _ id: UInt64, _ link: SimulatedLink) {
        let site = link.site.id
        switch machine.preliminaryAnswer(to: update.manifest, from: site, at: now) {
        case .accepted(let index):
            world.checker.resubmitted(update)
            return answer(.accepted(index: index), id, link)
        case .postponed(let reason): return answer(.postponed(reason: reason), id, link)
        case .refused(let refusal): decide(update, .unsound(refusal), id, link)
        case nil:
            let inspector = UpdateInspection(blobs: blobs, plan: world.scenario.plan, roots: world.cast.roots)
            // Other things happen while the tensors are read.
            later(Int.random(in: 1...3000, using: &world.random)) {
                let inspection = inspector.inspect(update, certificate: self.world.cast.sites[link.site.index].certificate, at: self.now)
                self.decide(update, inspection, id, link)
            }
        }
    }

    private func decide(_ update: SignedUpdate, _ inspection: Inspection, _ id: UInt64, _ link: SimulatedLink) {
        let submission = Submission(sender: link.site.id, update: update, inspection: inspection)
        var answers: [SubmissionAnswer] = []
        decide { core, now in
            let effects = try core.handle(.submitted(submission), at: now)
            answers = effects.compactMap { if case .answer(_, let answer) = $0 { answer } else { nil } }
            return effects
        }
        if let first = answers.first { return answer(first, id, link) }
        if world.mistake == .answerBeforeRecord, case .sound(let norm) = inspection { return answerUnrecorded(update, norm, id, link) }
        refuse(Refusal(.unavailable, "the ledger cannot be written"), id, link)
    }

    /// The mistake: the ledger could not be written, and the site is told that its update is in it.
    private func answerUnrecorded(_ update: SignedUpdate, _ norm: Double, _ id: UInt64, _ link: SimulatedLink) {
        let entry = Entry(at: now, .updateAccepted(AcceptedUpdate(update: update, weight: update.manifest.samples, norm: norm)))
        let receipt = Receipt(index: UInt64(core.ledger.count), entry: entry.wireBytes, proof: [], treeHead: core.ledger.head.note)
        world.checker.acknowledged(receipt)
        link.sendDown(.receipt(receipt), inReplyTo: id)
    }

    private func answer(_ answer: SubmissionAnswer, _ id: UInt64, _ link: SimulatedLink) {
        switch answer {
        case .accepted(let index):
            let receipt = core.ledger.receipt(of: index)
            guard !node.disk.isDead else { return }
            world.checker.acknowledged(receipt)
            link.sendDown(.receipt(receipt), inReplyTo: id)
        case .refused(let refusal): link.sendDown(.updateRefused(refusal), inReplyTo: id)
        case .postponed(let reason): refuse(Refusal(.unavailable, reason), id, link)
        }
    }
}
