import Coordinator
import Federation
import Ledger
import Protocol
import Wire

/// The links from sites: greeting a site, receiving its messages, and losing it.
extension SimulatedCoordinator {
    func greet(_ link: SimulatedLink, _ driver: CoordinatorDriver) {
        let greeting = Greeting(Greeting.Facts(driver), seen: link.treeHead)
        do { try greeting.requireOwnLedger(link.site.id) } catch { return refuse(error, 1, link) }
        let loss = greeting.loss.flatMap { try? ledger.receipt(of: $0.index, under: greeting.ledger) }
        link.sendDown(.welcome(greeting.welcome(world.fixture.sender, version: 1, at: now, loss: loss)), inReplyTo: 1)
        guard link.purpose == .control, let standing = greeting.standing else { return }
        // Everything decided so far is on the disk. Begin after this call has returned, when the driver is free again.
        later(0) { self.begin(link, standing) }
    }

    private func begin(_ link: SimulatedLink, _ standing: HistoryStanding) {
        guard link.isOpenAtCoordinator else { return }
        if case .isBehind = standing, world.mistake != .goOnFromBackup {
            showing.append(link)
            return handle(.greeted(link.site.id, standing))
        }
        link.id = LinkID(nextNumber())
        links[link.id!] = link
        handle(.greeted(link.site.id, .extends(proof: [])))
        handle(.arrived(link.site.id, link.id!, nil))
    }

    func lost(_ link: SimulatedLink) {
        showing.removeAll { $0 === link }
        if let upload = uploads.removeValue(forKey: ObjectIdentifier(link)) { try? upload.spool.checkpoint() }
        guard let id = link.id, links.removeValue(forKey: id) != nil else { return }
        handle(.left(link.site.id, id))
    }

    func receive(_ frame: ClientFrame, on link: SimulatedLink) {
        switch frame.message {
        case .submitUpdate(let update, let seenEntries): submit(update, seenEntries, frame.id, link)
        case .presentReceipt(let receipt):
            ask(.show(receipt, by: link.site.id)) { answer in
                switch answer {
                case .receiptSeen(let isHeld): link.sendDown(.receiptSeen(isHeld: isHeld), inReplyTo: frame.id)
                case .refused(let refusal): self.refuse(refusal, frame.id, link)
                default: break
                }
            }
        case .offerBlob(let digest, let byteCount): receive(digest, byteCount, frame.id, link)
        case .blobChunk: take(frame.message, frame.id, link)
        case .fetchBlob(let digest, let offset): send(digest, from: offset, frame.id, link)
        default: break
        }
    }

    func refuse(_ refusal: Refusal, _ id: UInt64, _ link: SimulatedLink) {
        link.sendDown(.refusal(refusal), inReplyTo: id)
    }
}
