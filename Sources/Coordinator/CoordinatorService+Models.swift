import Blobs
import Federation
import Foundation
import Ledger
import Releases
import Tensors
import Wire

/// Models and releases to download, and models that operators register.
extension CoordinatorService {
    /// The files of a model or a release, and the entry that registered it.
    func listing(of name: ModelName) async throws -> ModelListing {
        let (model, index, isRelease, known) = await readDurable { driver in
            let state = driver.machine.state
            let known = state.models.keys.map(\.text).sorted().suffix(10).joined(separator: ", ")
            return (state.models[name], state.modelEntries[name], state.releases.contains { $0.name == name }, known)
        }
        guard let model, let index else {
            throw Refusal(.notFound, "there is no model or release \(name)", hint: "choose one of: \(known)")
        }
        let proof = try await receipt(of: index)
        guard isRelease else {
            let file = ModelListing.File(
                path: "model.safetensors",
                blob: BlobReference(digest: model.digest, byteCount: model.byteCount)
            )
            return ModelListing(name: name, files: [file], proof: proof)
        }
        return ModelListing(name: name, files: try await filesOfRelease(name), proof: proof)
    }

    private func filesOfRelease(_ name: ModelName) async throws -> [ModelListing.File] {
        if let known = releaseFiles[name] { return known }
        let release = ReleaseDirectory(path: "\(files.releases)/\(name)")
        guard FileManager.default.fileExists(atPath: release.path) else {
            throw Refusal(
                .unavailable,
                "the release \(name) is in the ledger, but its directory is missing",
                hint: "an operator must cut it again: kumiai release cut \(name)"
            )
        }
        let found = try await workers.runIfActive {
            try release.files().map { ModelListing.File(path: $0.name, blob: $0.blob) }
        }
        releaseFiles[name] = found
        return found
    }

    /// Returns the location of a blob that every member of the consortium may fetch; `nil` if there is no such blob.
    func source(of digest: Digest) async throws -> FetchSource? {
        let (mayFetch, releases) = await readDurable { ($0.mayFetch(digest), $0.machine.state.releases) }
        if mayFetch { return .blob }
        for release in releases {
            guard let files = try? await filesOfRelease(release.name),
                let file = files.first(where: { $0.blob.digest == digest })
            else { continue }
            return .file("\(self.files.releases)/\(release.name)/\(file.path)")
        }
        return nil
    }

    /// Records that an operator starts to send a model, and removes older unregistered models if room is needed.
    func modelArrives(_ digest: Digest, from operatorName: String) throws {
        for replaced in try arrivals.begin(digest, from: operatorName) {
            arrivingModels.remove(replaced)
            arrivingModels.removeUnfinished(replaced)
            logger.notice(
                "a model that was sent and not registered was removed",
                metadata: ["model": "\(replaced.short)", "by": "\(operatorName)"]
            )
        }
    }

    /// Records whether an upload found the disk full.
    func setDiskFull(_ isFull: Bool) { isDiskFull = isFull }

    func modelArrived(_ digest: Digest) { arrivals.end(digest) }

    /// Registers a model that an operator has sent. Idempotent: a repeated request gets the same answer.
    func register(_ name: ModelName, _ blob: BlobReference, by operatorName: String) async throws -> ServerMessage {
        if let index = try await readDurableOrThrow({ driver in
            let index = try driver.registration(of: name, blob.digest)
            if index == nil { try driver.requireStartupWaitOver() }
            return index
        }) {
            return .recorded(index: index)
        }
        let (arriving, blobs) = (arrivingModels, blobs)
        let model = try await workers.runIfActive { try Self.adopt(blob, from: arriving, into: blobs) }
        let index = try await recorded(.register(name, model, by: operatorName))
        arrivals.registered(blob.digest)
        return .recorded(index: index)
    }

    private static func adopt(_ blob: BlobReference, from arriving: BlobStore, into blobs: BlobStore) throws
        -> ModelReference
    {
        guard arriving.byteCount(of: blob.digest) == blob.byteCount else {
            throw Refusal(
                .notFound,
                "the model \(blob.digest.short) was not sent, or has another size",
                hint: "kumiai model import sends it first"
            )
        }
        do {
            let file = try SafetensorsFile(arriving, blob.digest, called: "the model")
            try ModelImport.check(file)
            let layout = Digest(of: file.layout.canonicalBytes)
            try blobs.take(blob.digest, from: arriving)
            return ModelReference(digest: blob.digest, layout: layout, byteCount: blob.byteCount)
        } catch let error as BlobError {
            throw Refusal(
                .unavailable,
                "the model cannot be kept: \(error)",
                hint: "free disk space on the coordinator"
            )
        } catch {
            throw Refusal(.invalid, "\(error)", hint: (error as? CoordinatorError)?.hint ?? "")
        }
    }
}

/// The location of bytes to send.
enum FetchSource: Sendable {
    case blob
    /// A file of a release.
    case file(String)
}
