import Federation
import Wire

/// What a dishonest site sends in addition to its honest update; none of it may ever count.
final class ByzantineSite {
    private unowned let site: SimulatedSite
    /// For each dishonest connection, what it offers and what it sends.
    private var uploads:
        [ObjectIdentifier: (link: SimulatedLink, offered: BlobReference, bytes: [UInt8], then: SignedUpdate?)] = [:]
    private var old: SignedUpdate?
    private var task: TrainingTask?
    /// Updates that other sites have sent.
    private var observed: [SignedUpdate] = []

    init(_ site: SimulatedSite) { self.site = site }

    private var world: World { site.world }
    private var isAttacking: Bool {
        world.scenario.byzantineSite == site.index && world.now < world.scenario.faultsEnd
    }

    /// Sends something dishonest, of a random kind, while the site trains for the task.
    func attack(_ task: TrainingTask) {
        guard isAttacking else { return }
        world.count("lies")
        self.task = task
        let honest = Honest(site.index, task)
        var values = honest.values
        switch Int.random(in: 0..<9, using: &world.random) {
        case 0:  // Bytes that do not match the digest.
            let (sent, named) = (honest.file(values.map { -$0 }), honest.file(values))
            upload(sent, as: BlobReference(digest: Digest(of: named), byteCount: UInt64(sent.count)), then: nil)
        case 1: submit(honest.file(values.map { $0 / 2 }), task, round: task.key.round + 1)
        case 2: if let old { site.sendOnControl(.submitUpdate(old)) }
        case 3:
            values[0] = .nan
            submit(TinyModel.file(values, honest.format.trained.layout(rank: honest.rank)), task)
        case 4: submit(TinyModel.file((0..<TinyModel.parameters).map { Float($0) / 3 }, TinyModel.otherLayout), task)
        case 5:
            let other = SimulationFixture.site((site.index + 1) % world.scenario.sites)
            submit(honest.file(values.map { $0 / 4 }), task, as: other)
        case 6: submit(honest.file(values.map { $0 * 1e6 }), task)
        case 7: copy(task)
        default:
            values[0] += 0.25
            submit(honest.file(values), task, forged: true)
        }
        old = site.pending ?? old
    }

    private func submit(
        _ bytes: [UInt8],
        _ task: TrainingTask,
        as other: SiteID? = nil,
        round: Int? = nil,
        forged: Bool = false
    ) {
        guard
            var signed = try? site.sign(
                (Digest(of: bytes), UInt64(bytes.count)),
                task,
                samples: 1000,
                as: other,
                round: round
            )
        else { return }
        if forged {
            signed = SignedUpdate(
                manifest: signed.manifest,
                manifestBytes: signed.manifestBytes,
                signature: signed.signature.reversed(),
                certificate: signed.certificate
            )
        }
        upload(bytes, as: BlobReference(digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), then: signed)
    }

    // MARK: Other sites' work

    /// Learns of an update that the coordinator has from another site, at the moment that is best for an attack.
    func observe(_ update: SignedUpdate) {
        guard isAttacking, site.node.isUp else { return }
        observed.append(update)
        if let task, task.key.round == update.manifest.key.round, world.chance(0.3) { claim(update, task) }
    }

    /// Claims another site's blob without sending a byte of it, either with an offer or with a submission.
    private func claim(_ theirs: SignedUpdate, _ task: TrainingTask) {
        let blob = BlobReference(digest: theirs.manifest.update, byteCount: theirs.manifest.updateByteCount)
        guard let signed = try? site.sign((blob.digest, blob.byteCount), task, samples: 1000) else { return }
        world.count("blobs claimed")
        if world.chance(0.5) { upload([], as: blob, then: signed) } else { site.sendOnControl(.submitUpdate(signed)) }
    }

    /// Sends a byte-for-byte copy of another site's update after that update was accepted.
    private func copy(_ task: TrainingTask) {
        guard world.coordinator.node.isUp,
            let theirs = observed.last(where: { world.coordinator.machine.state.place(of: $0.manifest) != nil }),
            let bytes = world.checker.file(of: theirs)
        else { return }
        world.count("blobs copied")
        submit(bytes, task)
    }

    // MARK: Sending

    private func upload(_ bytes: [UInt8], as blob: BlobReference, then update: SignedUpdate?) {
        guard world.coordinator.node.isUp else { return }
        let link = SimulatedLink(world, site, .bulk)
        uploads[ObjectIdentifier(link)] = (link, blob, bytes, update)
        world.coordinator.accept(link)
    }

    func handle(_ frame: ServerFrame, on link: SimulatedLink) {
        guard let upload = uploads[ObjectIdentifier(link)] else { return }
        switch frame.message {
        case .welcome: link.sendUp(.offerBlob(upload.offered.digest, byteCount: upload.offered.byteCount), id: 2)
        case .blobProgress(let durable, let complete) where frame.inReplyTo == 2 || complete:
            if !complete, !upload.bytes.isEmpty {
                let rest = Array(upload.bytes.dropFirst(Int(durable)))
                return link.sendUp(.blobChunk(BlobChunk(offset: durable, payload: Payload(rest))), id: 3)
            }
            if let update = upload.then { site.sendOnControl(.submitUpdate(update)) }
            end(link)
        case .refusal: end(link)
        default: break
        }
    }

    private func end(_ link: SimulatedLink) {
        uploads[ObjectIdentifier(link)] = nil
        link.closeFromSite()
    }
}
