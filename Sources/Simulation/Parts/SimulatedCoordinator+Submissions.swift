import Coordinator
import Federation
import Ledger
import Wire

/// The handling of submitted updates.
extension SimulatedCoordinator {
    func submit(_ update: SignedUpdate, _ seen: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        if machine.state.place(of: update.manifest) != nil { world.checker.resubmitted(update) }
        ask(.submit(update, from: link.site.id), update) { answer in
            switch answer {
            case .submission(.accepted(let index)): self.acknowledge(index, seen, id, link)
            case .submission(.refused(let refusal)): link.sendDown(.updateRefused(refusal), inReplyTo: id)
            case .submission(.postponed(let reason)): self.refuse(Refusal(.unavailable, reason), id, link)
            case .refused(let refusal): self.refuse(refusal, id, link)
            default: break
            }
        }
        if world.mistake == .answerBeforeRecord { unanswered[update.identity] = (id, link) }
    }

    func inspect(_ update: SignedUpdate, _ plan: Plan) -> Inspection {
        let site = update.manifest.site
        guard let sender = world.sites.first(where: { $0.id == site }) else { return .unavailable("a stranger") }
        let owner = world.mistake == .shareUploads ? owner(of: update.manifest.update) ?? site : site
        do {
            let uploads = try incoming.store(of: owner), digest = update.manifest.update
            let wasThere = uploads.contains(digest)
            // Bytes that the disk has damaged are set aside: what was promised of them ends.
            defer { if wasThere, !uploads.contains(digest) { world.checker.discarded(digest, of: owner) } }
            let inspection = UpdateInspection(
                blobs: blobs,
                uploads: uploads,
                plan: plan,
                roots: world.fixture.roots
            )
            return inspection.inspect(update, certificate: world.fixture.sites[sender.index].certificate, at: now)
        } catch {
            return .unavailable("\(error)")
        }
    }

    func publish(_ manifest: UpdateManifest, _ inspection: Inspection) -> Inspection {
        guard world.mistake == .shareUploads, let owner = owner(of: manifest.update), owner != manifest.site else {
            return incoming.accept(manifest, inspection)
        }
        do { try incoming.publish(manifest.update, of: owner) } catch { return .unavailable("\(error)") }
        return inspection
    }

    private func acknowledge(_ index: UInt64, _ seen: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        guard !node.disk.isDead else { return }
        let snapshot = ledger.snapshot
        guard let receipt = try? ledger.receipt(of: index, under: snapshot) else {
            return world.checker.fail("entry \(index) cannot be read again")
        }
        world.checker.acknowledged(receipt)
        link.sendDown(
            .receipt(
                receipt,
                consistencyProof: snapshot.consistencyProof(from: min(Int(clamping: seen), snapshot.count))
            ),
            inReplyTo: id
        )
    }

    /// A deliberate mistake: tells the site that its update is in the ledger although the ledger could not be written.
    func answerUnrecorded(_ entries: [Entry]) {
        for entry in entries {
            guard case .updateAccepted(let accepted) = entry.body, let (id, link) = unanswered[accepted.update.identity]
            else { continue }
            let receipt = Receipt(
                index: UInt64(ledger.count),
                entry: entry.wireBytes,
                proof: [],
                treeHead: ledger.head.note
            )
            world.checker.acknowledged(receipt)
            link.sendDown(.receipt(receipt), inReplyTo: id)
        }
    }
}
