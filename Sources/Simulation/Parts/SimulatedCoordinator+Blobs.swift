import Blobs
import Federation
import Protocol
import Wire

/// An upload on a link.
struct SimulatedUpload {
    let link: SimulatedLink
    let spool: Spool
    var receiver: UploadReceiver
}

/// Uploads of updates, and downloads of models and adapters.
extension SimulatedCoordinator {
    func receive(_ digest: Digest, _ byteCount: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        guard let limit = driver.uploadLimit(for: link.site.id), byteCount <= limit else {
            return refuse(Refusal(.conflict, "no campaign"), id, link)
        }
        if world.mistake == .shareUploads, owner(of: digest) != nil {
            return link.sendDown(.blobProgress(durable: byteCount, complete: true), inReplyTo: id)
        }
        // The newest connection of a site wins.
        for (key, other) in uploads where other.spool.digest == digest && other.link.site === link.site {
            try? other.spool.checkpoint()
            uploads[key] = nil
            other.link.closeFromCoordinator()
        }
        do {
            let spool = try incoming.store(of: link.site.id).spool(digest, byteCount: byteCount)
            world.checker.resumed(spool, of: link.site.id)
            let receiver = UploadReceiver(
                digest,
                byteCount: byteCount,
                received: spool.receivedBytes,
                isComplete: spool.isComplete
            )
            if !spool.isComplete {
                uploads[ObjectIdentifier(link)] = SimulatedUpload(link: link, spool: spool, receiver: receiver)
            }
            sendProgress(
                receiver.progress(durable: spool.durableBytes, isComplete: spool.isComplete),
                of: spool,
                id,
                link
            )
        } catch {
            // The whole blob was there when the coordinator died, but it did not match its name.
            if (error as? BlobError)?.code == .damaged { world.checker.discarded(digest, of: link.site.id) }
            refuse(Refusal(.unavailable, "\(error)"), id, link)
        }
    }

    func take(_ message: ClientMessage, _ id: UInt64, _ link: SimulatedLink) {
        guard var upload = uploads[ObjectIdentifier(link)] else { return }
        let spool = upload.spool
        do {
            let chunk = try upload.receiver.take(message)
            if world.mistake == .trustBlobNames, upload.receiver.hasAll { return believe(chunk, spool, id, link) }
            let madeCheckpoint = try chunk.payload.withUnsafeBytes { try spool.append($0, at: chunk.offset) }
            uploads[ObjectIdentifier(link)] = spool.isComplete ? nil : upload
            if madeCheckpoint {
                sendProgress(
                    upload.receiver.progress(durable: spool.durableBytes, isComplete: spool.isComplete),
                    of: spool,
                    id,
                    link
                )
            }
        } catch {
            try? spool.checkpoint()
            uploads[ObjectIdentifier(link)] = nil
            if (error as? BlobError)?.code == .damaged { world.checker.discarded(spool.digest, of: link.site.id) }
            return refuse(error as? Refusal ?? Refusal(.invalid, "\(error)"), id, link)
        }
        if spool.isComplete { world.checker.published(spool.digest, node.disk.bytes(uploadPath(spool.digest, link))) }
    }

    private func uploadPath(_ digest: Digest, _ link: SimulatedLink) -> String {
        (try? incoming.store(of: link.site.id))?.path(of: digest) ?? ""
    }

    /// A deliberate mistake: publishes whatever arrived.
    private func believe(_ chunk: BlobChunk, _ spool: Spool, _ id: UInt64, _ link: SimulatedLink) {
        let bytes =
            (node.disk.bytes("blobs/incoming/\(link.site.id)/partial/\(spool.digest.hex)") ?? []) + chunk.payload.bytes
        uploads[ObjectIdentifier(link)] = nil
        guard let file = try? node.disk.open(uploadPath(spool.digest, link), .replacing) else { return }
        try? bytes.withUnsafeBytes { try file.write($0, at: 0) }
        world.checker.published(spool.digest, bytes)
        link.sendDown(.blobProgress(durable: spool.byteCount, complete: true), inReplyTo: id)
    }

    private func sendProgress(_ progress: ServerMessage, of spool: Spool, _ id: UInt64, _ link: SimulatedLink) {
        world.checker.promised(spool.durableBytes, of: spool.digest, to: link.site.id)
        link.sendDown(progress, inReplyTo: id)
    }

    /// For the mistake ``Mistake/shareUploads``: returns the site that sent a blob instead of the one that asks.
    func owner(of digest: Digest) -> SiteID? {
        incoming.sites().first { (try? incoming.store(of: $0))?.contains(digest) == true }
    }

    func send(_ digest: Digest, from start: UInt64, _ id: UInt64, _ link: SimulatedLink) {
        do {
            let reader = try BlobReader(blobs, digest)
            var sender = try DownloadSender(byteCount: reader.byteCount, from: start, chunkBytes: 64)
            link.sendDown(sender.start, inReplyTo: id)
            while let range = sender.nextRange() {
                let payload = try Payload(capacity: range.count) { try reader.read(into: $0, at: range.lowerBound) }
                link.sendDown(.blobChunk(BlobChunk(offset: range.lowerBound, payload: payload)), inReplyTo: id)
            }
        } catch {
            refuse(error as? Refusal ?? Refusal(.unavailable, "\(error)"), id, link)
        }
    }
}
