import Blobs
import Federation
import Protocol
import Wire
import Worker

/// The transfer of a blob over its own bulk connection.
struct SimulatedTransfer {
    enum Half {
        case up(UploadSender, BlobReader, SignedUpdate)
        case down(DownloadReceiver, Spool)
    }

    let number: Int
    var half: Half?
    var link: SimulatedLink?
}

extension SimulatedSite {
    func transfer(_ effect: WorkerEffect) {
        switch effect {
        case .download(let number, let blob, _): begin(number) { try self.download(blob) }
        case .upload(let number, let update): begin(number) { try self.upload(update) }
        case .keepModel(let number, _, _): later(0) { self.handle(.transferred(number)) }
        default: endTransfer()
        }
    }

    /// - Parameter open: Creates this site's side of the transfer; returns `nil` if there is nothing to transfer.
    private func begin(_ number: Int, _ open: @escaping () throws -> SimulatedTransfer.Half?) {
        endTransfer()
        transfer = SimulatedTransfer(number: number)
        later(2 * world.latency()) {
            guard self.transfer?.number == number else { return }
            do {
                guard let half = try open() else { return self.transferred() }
                self.transfer?.half = half
            } catch {
                return self.transferFailed(
                    "\(error)",
                    kind: (error as? BlobError)?.code == .missing ? .updateLost : .other
                )
            }
            guard !self.isCutOff else { return self.transferFailed("unreachable") }
            let link = SimulatedLink(self.world, self, .bulk)
            self.transfer?.link = link
            self.world.coordinator.accept(link)
        }
    }

    private func download(_ blob: BlobReference) throws -> SimulatedTransfer.Half? {
        let spool = try blobs.spool(blob.digest, byteCount: blob.byteCount)
        guard spool.isComplete else {
            return .down(DownloadReceiver(blob.digest, byteCount: blob.byteCount, received: spool.receivedBytes), spool)
        }
        do { try blobs.verify(blob.digest) } catch {
            blobs.remove(blob.digest)
            throw error
        }
        return nil
    }

    private func upload(_ update: SignedUpdate) throws -> SimulatedTransfer.Half? {
        let reader = try BlobReader(blobs, update.manifest.update)
        return .up(UploadSender(update.manifest.update, byteCount: reader.byteCount, chunkBytes: 64), reader, update)
    }

    /// Handles a message on the bulk connection.
    func handle(_ message: ServerMessage) {
        guard let transfer, let link = transfer.link else { return }
        do {
            switch (message, transfer.half) {
            case (.welcome, .up(let sender, _, _)): link.sendUp(sender.offer, id: 2)
            case (.welcome, .down(let receiver, _)): link.sendUp(receiver.request, id: 2)
            case (_, .up(let sender, let reader, let update)): try handle(message, sender, reader, update, link)
            case (_, .down(let receiver, let spool)): try handle(message, receiver, spool)
            case (_, nil): break
            }
        } catch {
            transferFailed("\(error)", kind: error is Refusal && isUpdateDamaged ? .updateLost : .other)
        }
    }

    /// Whether the update that the coordinator refused is damaged on this site's disk.
    private var isUpdateDamaged: Bool {
        guard case .up(_, _, let update)? = transfer?.half else { return false }
        do { try blobs.verify(update.manifest.update) } catch {
            blobs.remove(update.manifest.update)
            return true
        }
        return false
    }

    private func handle(
        _ message: ServerMessage,
        _ sender: UploadSender,
        _ reader: BlobReader,
        _ update: SignedUpdate,
        _ link: SimulatedLink
    ) throws {
        var sender = sender
        let step = try sender.handle(message)
        if case .complete = step {
            world.sites.forEach { if $0 !== self { $0.byzantine.observe(update) } }
            return transferred()
        }
        while let range = sender.nextRange() {
            let payload = try Payload(capacity: range.count) { try reader.read(into: $0, at: range.lowerBound) }
            link.sendUp(.blobChunk(BlobChunk(offset: range.lowerBound, payload: payload)), id: 3)
        }
        transfer?.half = .up(sender, reader, update)
    }

    private func handle(_ message: ServerMessage, _ receiver: DownloadReceiver, _ spool: Spool) throws {
        var receiver = receiver
        let chunk = try receiver.handle(message)
        transfer?.half = .down(receiver, spool)
        guard let chunk else { return }
        try chunk.payload.withUnsafeBytes { _ = try spool.append($0, at: chunk.offset) }
        if spool.isComplete { transferred() }
    }

    private func transferred() {
        guard let number = transfer?.number else { return }
        endTransfer()
        later(0) { self.handle(.transferred(number)) }
    }

    func transferFailed(_ reason: String, kind: WorkerFailure.Kind = .other) {
        guard let number = transfer?.number else { return }
        endTransfer()
        later(0) { self.handle(.transferFailed(number, WorkerFailure(reason, kind: kind))) }
    }

    /// Ends the transfer and makes durable what has arrived.
    private func endTransfer() {
        if case .down(_, let spool)? = transfer?.half { try? spool.checkpoint() }
        let link = transfer?.link
        transfer = nil
        link?.closeFromSite()
    }
}
