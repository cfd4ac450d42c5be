import Blobs
import Federation
import Wire

/// Updates up, models and adapters down.
extension SimulatedCoordinator {
    func receive(_ digest: Digest, _ byteCount: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        guard let campaign = machine.state.campaign, campaign.end == nil else { return refuse(Refusal(.conflict, "no campaign"), id, link) }
        if world.mistake == .shareUploads, owner(of: digest) != nil {
            return link.sendDown(.blobProgress(durable: byteCount, complete: true), inReplyTo: id)
        }
        // A site's newest connection wins.
        for (key, other) in spools where other.spool.digest == digest && other.link.site === link.site {
            try? other.spool.checkpoint()
            spools[key] = nil
            other.link.closeFromCoordinator()
        }
        do {
            let spool = try incoming.store(of: link.site.id).spool(digest, byteCount: byteCount)
            world.checker.resumed(spool, of: link.site.id)
            if !spool.isComplete { spools[ObjectIdentifier(link)] = (link, spool) }
            report(spool, id, link)
        } catch {
            // All of it was there when the coordinator died, and it was not what its name says.
            if (error as? BlobError)?.code == .damaged { world.checker.discarded(digest, of: link.site.id) }
            refuse(Refusal(.unavailable, "\(error)"), id, link)
        }
    }

    func take(_ chunk: BlobChunk, _ id: UInt64, _ link: SimulatedLink) {
        guard let (_, spool) = spools[ObjectIdentifier(link)] else { return }
        if world.mistake == .trustBlobNames, chunk.offset + UInt64(chunk.payload.count) == spool.byteCount { return believe(chunk, spool, id, link) }
        do {
            if try chunk.payload.withUnsafeBytes({ try spool.append($0, at: chunk.offset) }) { report(spool, id, link) }
        } catch {
            try? spool.checkpoint()
            spools[ObjectIdentifier(link)] = nil
            if (error as? BlobError)?.code == .damaged { world.checker.discarded(spool.digest, of: link.site.id) }
            refuse(Refusal(.invalid, "\(error)"), id, link)
        }
        if spool.isComplete {
            spools[ObjectIdentifier(link)] = nil
            world.checker.published(spool.digest, node.disk.bytes(uploadPath(spool.digest, link)))
        }
    }

    private func uploadPath(_ digest: Digest, _ link: SimulatedLink) -> String { (try? incoming.store(of: link.site.id))?.path(of: digest) ?? "" }

    /// The mistake: publishes whatever came.
    private func believe(_ chunk: BlobChunk, _ spool: Spool, _ id: UInt64, _ link: SimulatedLink) {
        let bytes = (node.disk.bytes("blobs/incoming/\(link.site.id)/partial/\(spool.digest.hex)") ?? []) + chunk.payload.bytes
        spools[ObjectIdentifier(link)] = nil
        guard let file = try? node.disk.open(uploadPath(spool.digest, link), .replacing) else { return }
        try? bytes.withUnsafeBytes { try file.write($0, at: 0) }
        world.checker.published(spool.digest, bytes)
        link.sendDown(.blobProgress(durable: spool.byteCount, complete: true), inReplyTo: id)
    }

    private func report(_ spool: Spool, _ id: UInt64, _ link: SimulatedLink) {
        world.checker.promised(spool.durableBytes, of: spool.digest, to: link.site.id)
        link.sendDown(.blobProgress(durable: spool.durableBytes, complete: spool.isComplete), inReplyTo: id)
    }

    /// For the mistake of ``Mistake/shareUploads``: the site that sent a blob, not the one that asks.
    func owner(of digest: Digest) -> SiteID? { incoming.sites().first { (try? incoming.store(of: $0))?.contains(digest) == true } }

    func send(_ digest: Digest, from start: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        do {
            let reader = try BlobReader(blobs, digest)
            link.sendDown(.blobStart(byteCount: reader.byteCount), inReplyTo: id)
            var offset = start
            while offset < reader.byteCount {
                let payload = try Payload(capacity: min(64, Int(reader.byteCount - offset))) { try reader.read(into: $0, at: offset) }
                link.sendDown(.blobChunk(BlobChunk(offset: offset, payload: payload)), inReplyTo: id)
                offset += UInt64(payload.count)
            }
        } catch {
            refuse(Refusal(.unavailable, "\(error)"), id, link)
        }
    }
}
