import Coordinator
import Federation
import Ledger
import Wire

/// What becomes of an update that a site submits.
extension SimulatedCoordinator {
    func submit(_ update: SignedUpdate, _ seen: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        let site = link.site.id
        guard hearing == nil else { return refuse(Refusal(.unavailable, "the coordinator hears its sites"), id, link) }
        switch machine.preliminaryAnswer(to: update.manifest, from: site, at: now) {
        case .accepted(let index):
            world.checker.resubmitted(update)
            return answer(.accepted(index: index), seen, id, link)
        case .postponed(let reason): return answer(.postponed(reason: reason), seen, id, link)
        case .refused(let refusal): decide(update, .unsound(refusal), seen, id, link)
        case nil:
            // Other things happen while the tensors are read.
            later(Int.random(in: 1...3000, using: &world.random)) {
                self.decide(update, self.inspect(update, link.site), seen, id, link)
            }
        }
    }

    private func inspect(_ update: SignedUpdate, _ site: SimulatedSite) -> Inspection {
        let manifest = update.manifest
        let owner = world.mistake == .shareUploads ? owner(of: manifest.update) ?? site.id : site.id
        do {
            let inspector = UpdateInspection(
                blobs: blobs, uploads: try incoming.store(of: owner), plan: world.scenario.plan, roots: world.cast.roots)
            let inspection = inspector.inspect(update, certificate: world.cast.sites[site.index].certificate, at: now)
            guard owner != site.id, case .sound = inspection else { return incoming.accept(manifest, inspection) }
            try incoming.publish(manifest.update, of: owner)
            return inspection
        } catch {
            return .unavailable("\(error)")
        }
    }

    private func decide(_ update: SignedUpdate, _ inspection: Inspection, _ seen: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        let submission = Submission(sender: link.site.id, update: update, inspection: inspection)
        var answers: [SubmissionAnswer] = []
        decide { core, now in
            let effects = try core.handle(.submitted(submission), at: now)
            answers = effects.compactMap { if case .answer(_, let answer) = $0 { answer } else { nil } }
            return effects
        }
        if case .accepted? = answers.first {
            incoming.remove(update.manifest.update, of: link.site.id)
            world.checker.discarded(update.manifest.update, of: link.site.id)
        }
        if let first = answers.first { return answer(first, seen, id, link) }
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

    private func answer(_ answer: SubmissionAnswer, _ seen: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        switch answer {
        case .accepted(let index):
            guard !node.disk.isDead else { return }
            guard let receipt = try? core.ledger.receipt(of: index) else { return world.checker.fail("entry \(index) cannot be read again") }
            world.checker.acknowledged(receipt)
            link.sendDown(.receipt(receipt, consistencyProof: core.ledger.consistencyProof(from: min(Int(clamping: seen), core.ledger.count))), inReplyTo: id)
        case .refused(let refusal): link.sendDown(.updateRefused(refusal), inReplyTo: id)
        case .postponed(let reason): refuse(Refusal(.unavailable, reason), id, link)
        }
    }
}
