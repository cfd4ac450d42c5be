import Blobs
import Federation
import Foundation
import Ledger
import Transport
import Wire

/// The life of an update at its site: fetched from, trained, uploaded, submitted, answered.
extension WorkerService {
    /// An answer may wait for the coordinator to read every value of a large update.
    private static let answerSeconds = 600

    func fetch(_ task: TrainingTask) async {
        do {
            for blob in task.blobs {
                // Again before the adapter: the model that is here by then says how large it can be.
                try await workers.runIfActive { [check = transfer.check] in try check.check(task) }
                try await transfer.download(blob.digest, byteCount: blob.byteCount)
            }
            guard case .fetching(let current) = machine.work, current == task else { return }
            removeOldModels(keeping: task.blobs.map(\.digest))
            trouble = nil
            handle(.fetched(task.key))
        } catch {
            guard !Task.isCancelled else { return }
            report("the model could not be fetched", error, task.key)
            handle(.fetchFailed(task.key, describe(error)))
        }
    }

    /// Keeps what a campaign came to, under the campaign's name: a site has what it helped to train.
    func keep(_ end: CampaignEnd, _ model: BlobReference) async {
        do {
            try await transfer.download(model.digest, byteCount: model.byteCount)
            let path = try await workers.runIfActive { [blobs, configuration] in
                try FinalModel.keep(blobs, model.digest, of: end.campaign, in: configuration.dataDirectory)
            }
            trouble = nil
            logger.info("the final model is kept", metadata: ["campaign": "\(end.campaign)", "file": "\(path)"])
            handle(.kept(end.campaign))
        } catch {
            guard !Task.isCancelled else { return }
            report("the final model could not be fetched", error, nil)
            handle(.keepFailed(end.campaign, describe(error)))
        }
    }

    /// One model, its adapter and one update are kept; the others can be fetched again, or are with the coordinator.
    private func removeOldModels(keeping kept: [Digest]) {
        for digest in (try? blobs.all()) ?? [] where !kept.contains(digest) && digest != pending?.manifest.update { blobs.remove(digest) }
    }

    func train(_ task: TrainingTask) async {
        let token = training.begin()
        do {
            let trained = try await workers.runIfActive { [trainer, training] in
                try trainer.run(task) { try training.note($0, $1, token: token) }
            }
            guard case .training(let current) = machine.work, current == task else { return trainer.discarded(round: task.key.round) }
            let update = try sign(trained, task)
            try outbox.store(update)
            pending = update
            trouble = nil
            trainer.finished(task)
            handle(.trained(PreparedUpdate(update)))
        } catch is CancellationError {
            logger.info("training stopped", metadata: ["round": "\(task.key)"])
        } catch {
            trouble = SiteTrouble("training failed", detail: describe(error))
            logger.error(
                "training failed", metadata: ["round": "\(task.key)", "reason": "\(describe(error))", "hint": "kumiai worker doctor; it is tried again"])
            handle(.trainingFailed(task.key, describe(error)))
        }
    }

    private func sign(_ trained: TrainedUpdate, _ task: TrainingTask) throws -> SignedUpdate {
        let manifest = UpdateManifest(
            campaign: task.campaign, key: task.key, site: identity.site, model: task.model.digest, adapter: task.adapter?.digest, update: trained.digest,
            updateByteCount: trained.byteCount, layout: task.model.layout, samples: trained.samples, localLoss: trained.loss, createdAt: clock())
        return try identity.sign(manifest, bytes: manifest.wireBytes)
    }

    func upload(_ update: PreparedUpdate) async {
        guard await isOnRecord(update) else { return }
        do {
            try await transfer.upload(update.update)
            trouble = nil
            handle(.uploaded(update.key))
        } catch let error as BlobError where error.code == .damaged || error.code == .missing {
            logger.error("the update was lost on this site's disk; training again", metadata: ["round": "\(update.key)", "reason": "\(describe(error))"])
            blobs.remove(update.update)
            handle(.updateLost(update.key))
        } catch {
            guard !Task.isCancelled else { return }
            report("the upload was interrupted", error, update.key)
            handle(.uploadFailed(update.key, describe(error)))
        }
    }

    /// Before the first byte: what leaves the site is on record, however the transfer ends, or it does not leave.
    private func isOnRecord(_ update: PreparedUpdate) async -> Bool {
        guard let pending else { return true }
        do {
            try await workers.runIfActive { [sent, clock] in try sent.note(pending.manifest, at: clock()) }
            return true
        } catch {
            guard !Task.isCancelled else { return false }
            report("the record of what leaves the site cannot be written", error, update.key)
            handle(.uploadFailed(update.key, describe(error)))
            return false
        }
    }

    func submit(_ update: PreparedUpdate) async {
        guard let link, let prepared = pending, prepared.manifest.update == update.update else { return }
        do {
            let signed = try signedAnew(prepared), seenEntries = memory.seenEntries
            postponement = nil
            let answer = try await withTimeout(.seconds(Self.answerSeconds), "the answer to the submission") {
                try await link.conversation.ask(.submitUpdate(signed, seenEntries: seenEntries))
            }
            try take(answer, to: signed, link, update)
            trouble = nil
        } catch let refusal as Refusal where refusal.code == .unavailable {
            // Nothing is wrong here: the campaign is paused, or the coordinator has its own trouble.
            trouble = nil
            postponement = "the coordinator takes no update now: \(refusal.message)"
            logger.warning("the update waits", metadata: ["round": "\(update.key)", "reason": "\(refusal.message)"])
            handle(.submissionFailed(update.key, refusal.message))
        } catch {
            guard !Task.isCancelled else { return }
            report("the submission was not answered", error, update.key)
            handle(.submissionFailed(update.key, describe(error)))
        }
    }

    /// The same manifest under the certificate of now, where it was renewed since the update was signed: the one that signed
    /// may have ended, and the ledger keeps it for auditors.
    private func signedAnew(_ update: SignedUpdate) throws -> SignedUpdate {
        guard update.certificate != identity.chain[0].der else { return update }
        let newer = try identity.sign(update.manifest, bytes: update.manifestBytes)
        try outbox.store(newer)
        pending = newer
        logger.info("the update is signed again, with the renewed certificate", metadata: ["round": "\(update.manifest.key)"])
        return newer
    }

    private func take(_ answer: ServerMessage, to signed: SignedUpdate, _ link: WorkerLink, _ update: PreparedUpdate) throws {
        switch answer {
        case .receipt(let receipt, let proof):
            try receipt.verify(consortium: configuration.consortium, logKey: link.logKey, update: signed)
            try memory.keep(receipt, consistencyProof: proof, of: signed, logKey: link.logKey)
            logger.info("update accepted", metadata: ["round": "\(update.key)", "entry": "\(receipt.index)"])
            handle(.answered(update.key, accepted: true, reason: "the update is in; waiting for the others"))
        case .updateRefused(let refusal) where refusal.reason == .blobMissing:
            logger.info("the coordinator lacks the update; sending it", metadata: ["round": "\(update.key)"])
            handle(.blobMissing(update.key))
        case .updateRefused(let refusal):
            logger.error(
                "update refused",
                metadata: ["round": "\(update.key)", "reason": "\(refusal.reason.rawValue)", "detail": "\(refusal.detail)"])
            handle(.answered(update.key, accepted: false, reason: "refused: \(refusal.reason.rawValue)"))
        default: throw TransportError(.unexpected, "the coordinator answered a submission with something else")
        }
    }

    private func report(_ what: String, _ error: any Error, _ key: RoundKey?) {
        let isFull = (error as? BlobError)?.code == .full || (error as? WorkerError)?.isForLackOfRoom == true
        trouble = SiteTrouble(isFull ? "\(what): the disk is full" : what, detail: describe(error))
        let room = (error as? BlobError)?.code == .full ? "make room in \(configuration.dataDirectory); it goes on by itself" : ""
        let hint = (error as? WorkerError)?.hint ?? room
        logger.warning("\(what)", metadata: ["round": "\(key.map(\.description) ?? "")", "reason": "\(describe(error))", "hint": "\(hint)"])
    }

    func clearOutbox() {
        if let pending, !memory.hasReceipt(of: pending) { trainer.discarded(round: pending.manifest.key.round) }
        outbox.clear()
        pending = nil
    }
}

extension PreparedUpdate {
    package init(_ update: SignedUpdate) {
        let manifest = update.manifest
        self.init(
            campaign: manifest.campaign, key: manifest.key, model: manifest.model, adapter: manifest.adapter, update: manifest.update,
            byteCount: manifest.updateByteCount, localLoss: manifest.localLoss)
    }
}
