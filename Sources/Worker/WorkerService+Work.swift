import Blobs
import Contracts
import Trainers
import Federation
import Foundation
import Ledger
import Protocol
import Transport
import Wire

/// The driver's effects on the disk and the trainer. Blocking work runs on the worker's threads.
extension WorkerService {
    // MARK: Memory and outbox

    func compareHistory(_ id: LinkID, _ welcome: Welcome) {
        withMemory(id) { [memory] in
            try memory.pin(welcome.logKey)
            let verdict = try memory.compareHistory(welcome)
            return .historyCompared(id, verdict, receipts: memory.receipts(for: verdict))
        }
    }

    func continueAfterLoss(_ id: LinkID, _ welcome: Welcome) {
        withMemory(id) { [memory] in
            try memory.continueAfterLoss(welcome)
            return .continuedAfterLoss(id)
        }
    }

    func admit(_ id: LinkID, _ assignment: Assignment, _ logKey: [UInt8]) {
        let site = identity.site
        withMemory(id) { [memory] in
            let admitted = memory.admitted(assignment, site: site, logKey: logKey)
            return .admitted(id, admitted, isAsSent: admitted == assignment)
        }
    }

    /// Runs an operation of the ledger memory in order; if it fails, the connection is ended.
    private func withMemory(_ id: LinkID, _ body: @escaping @Sendable () throws -> WorkerEvent) {
        storageQueue.submit { [inbox] in
            do { inbox.yield(try body()) } catch { inbox.yield(.memoryFailed(id, WorkerFailure(error))) }
        }
    }

    /// Changes the ledger memory before its next operation.
    func changeMemory(_ id: LinkID?, _ body: @escaping @Sendable () throws -> Void) {
        storageQueue.submit { [inbox] in
            do { try body() } catch { if let id { inbox.yield(.memoryFailed(id, WorkerFailure(error))) } }
        }
    }

    func keepReceipt(_ receipt: Receipt, _ proof: [Digest], _ update: SignedUpdate, _ logKey: [UInt8]) {
        let (consortium, key) = (configuration.consortium, update.manifest.key)
        storageQueue.submit { [memory, inbox] in
            do {
                try receipt.verify(consortium: consortium, logKey: logKey, update: update)
                try memory.keep(receipt, consistencyProof: proof, of: update, logKey: logKey)
                inbox.yield(.receiptKept(key, entry: receipt.index))
            } catch {
                inbox.yield(.submissionFailed(key, WorkerFailure(error)))
            }
        }
    }

    /// Signs the same manifest again if the certificate was renewed since the update was signed. The old certificate
    /// may have ended, and the ledger keeps the certificate for auditors.
    func prepareSubmission(_ id: LinkID, _ update: SignedUpdate) {
        let (identity, logger) = (identity, logger)
        storageQueue.submit { [memory, outbox, inbox] in
            do {
                var current = update
                if update.certificate != identity.chain[0].der {
                    current = try identity.sign(update.manifest, bytes: update.manifestBytes)
                    try outbox.store(current)
                    logger.info(
                        "the update was signed again with the renewed certificate",
                        metadata: ["round": "\(update.manifest.key)"]
                    )
                }
                inbox.yield(.readyToSubmit(id, current, seenEntries: memory.seenEntries))
            } catch {
                inbox.yield(.submissionFailed(update.manifest.key, WorkerFailure(error)))
            }
        }
    }

    func clearOutbox(_ update: SignedUpdate) {
        storageQueue.submit { [memory, outbox, publisher] in
            if !memory.hasReceipt(of: update) { publisher.discarded(round: update.manifest.key.round) }
            outbox.clear()
        }
    }

    // MARK: Training

    func train(_ task: TrainingTask) async {
        let token = training.begin()
        do {
            let trained = try await workers.runIfActive { [trainer, publisher, training] in
                try publisher.base(of: task)
                let result = try trainer.train(publisher.job(for: task)) { try training.update($0, $1, token: token) }
                return try publisher.publish(result, of: task) {
                    try training.update(1, Float(result.loss), token: token)
                }
            }
            handle(.trained(task, trained))
        } catch is CancellationError {
            logger.info("training stopped", metadata: ["round": "\(task.key)"])
        } catch {
            handle(.trainingFailed(task, WorkerFailure(error)))
        }
    }

    func prepare(_ task: TrainingTask, _ trained: TrainedUpdate) {
        let (identity, time) = (identity, clock())
        storageQueue.submit { [outbox, trainer, publisher, inbox] in
            do {
                let manifest = UpdateManifest(
                    campaign: task.campaign,
                    key: task.key,
                    site: identity.site,
                    model: task.model.digest,
                    adapter: task.adapter?.digest,
                    update: trained.digest,
                    updateByteCount: trained.byteCount,
                    layout: task.model.layout,
                    samples: trained.samples,
                    localLoss: trained.loss,
                    createdAt: time
                )
                let update = try identity.sign(manifest, bytes: manifest.wireBytes)
                try outbox.store(update)
                trainer.finished(publisher.job(for: task))
                inbox.yield(.prepared(task, update))
            } catch {
                inbox.yield(.trainingFailed(task, WorkerFailure(error)))
            }
        }
    }

    // MARK: Transfers

    func download(_ number: Int, _ blob: BlobReference, of task: TrainingTask?) async {
        await transfer(number) { [workers, transfer] in
            if let task {
                // Checked again before the adapter: when the model is here, the adapter's possible size is known.
                try await workers.runIfActive { try transfer.check.check(task) }
            }
            try await transfer.download(blob.digest, byteCount: blob.byteCount)
        }
    }

    /// Uploads an update. It is recorded before the first byte is sent; if it cannot be recorded, nothing is sent.
    func upload(_ number: Int, _ update: SignedUpdate) async {
        await transfer(number) { [workers, transfer, sent, clock, blobs] in
            do { try await workers.runIfActive { try sent.record(update.manifest, at: clock()) } } catch {
                throw NotOnRecord(cause: error)
            }
            do { try await transfer.upload(update.manifest.update) } catch let error as BlobError
                where [.damaged, .missing].contains(error.code)
            {
                blobs.remove(update.manifest.update)
                throw error
            }
        }
    }

    /// Keeps the final model under the campaign's name, so that the site has the model that it helped to train.
    func keepModel(_ number: Int, _ end: CampaignEnd, _ model: BlobReference) async {
        await transfer(number) { [workers, blobs, configuration, logger] in
            let path = try await workers.runIfActive {
                try FinalModel.keep(blobs, model.digest, of: end.campaign, in: configuration.dataDirectory)
            }
            logger.info("the final model was saved", metadata: ["campaign": "\(end.campaign)", "file": "\(path)"])
        }
    }

    private struct NotOnRecord: Error { let cause: any Error }

    private func transfer(_ number: Int, _ body: @Sendable () async throws -> Void) async {
        do {
            try await body()
            handle(.transferred(number))
        } catch let error as NotOnRecord {
            let failure = WorkerFailure(error.cause)
            handle(.transferFailed(number, WorkerFailure(failure.reason, hint: failure.hint, kind: .notOnRecord)))
        } catch {
            guard !Task.isCancelled else { return }
            handle(.transferFailed(number, WorkerFailure(error)))
        }
    }

    /// Removes all blobs except one model, its adapter and one update. The others can be fetched again, or the
    /// coordinator has them.
    func removeModels(keeping kept: [Digest], update: Digest?) {
        storageQueue.submit { [blobs] in
            for digest in (try? blobs.all()) ?? [] where !kept.contains(digest) && digest != update {
                blobs.remove(digest)
            }
        }
    }
}

extension WorkerFailure {
    init(_ error: any Error, hint: String? = nil) {
        let blob = (error as? BlobError)?.code
        let kind: Kind =
            switch blob {
            case .full?: .noRoom
            case .damaged?, .missing?: .updateLost
            default: (error as? WorkerError)?.isForLackOfRoom == true ? .noRoom : .other
            }
        self.init(
            describe(error),
            hint: hint ?? Self.hint(of: error),
            kind: kind
        )
    }

    private static func hint(of error: any Error) -> String {
        switch error {
        case let error as WorkerError: error.hint
        case let error as TrainingError: error.hint
        case let error as ContractError: error.hint
        case let error as Refusal: error.hint
        default: ""
        }
    }
}
