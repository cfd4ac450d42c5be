import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Wire

/// A digest is not possession: an update belongs to a site only if that site has sent it.
@Suite(.serialized) struct PossessionTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The coordinator's answers to a site that named another site's update, and to one that named a blob that does not
    /// exist.
    private struct Answers: Sendable, Equatable {
        var offers: [String] = []
        var submissions: [UpdateRefusal.Reason?] = []
    }

    @Test func aSiteThatNamesAnothersUpdateGetsTheAnswerForABlobThatNobodyHas() async throws {
        let consortium = try Consortium(
            sites: 2,
            rounds: 1,
            quorum: 2,
            baseModel: try Consortium.model(bytes: 1 << 20, in: directory)
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let honest = try SyntheticSite(consortium.workerConfiguration(0))
        honest.start()
        let attacker = try consortium.dialer(consortium.directoryName(1))
        let certificate = try Certificate(
            pem: consortium.directory.read("\(consortium.directoryName(1))/certificate.pem")
        )
        let key = try PrivateKey(pem: consortium.directory.read("\(consortium.directoryName(1))/key.pem"))
        let objects = consortium.data + "/blobs/objects"
        let answers = try await attacker.withConnection(.control, software: "test") { control in
            let task = try await Self.task(control)
            for _ in 0..<150 where !honest.log.contains("update accepted") {
                try await Task.sleep(for: .milliseconds(30))
            }
            let names =
                FileManager.default.enumerator(atPath: objects)?.compactMap {
                    ($0 as? String)?.split(separator: "/").last.map(String.init)
                } ?? []
            let theirs = try #require(names.compactMap(Digest.init(hex:)).first { $0 != task.model.digest })
            let path = "\(objects)/\(theirs.hex)"
            let size = UInt64(try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int))
            var answers = Answers()
            for digest in [theirs, Digest(of: "nobody has it")] {
                answers.offers.append(try await Self.offer(attacker, digest, size))
                let manifest = UpdateManifest(
                    campaign: task.campaign,
                    key: task.key,
                    site: SiteID(Consortium.sites[1])!,
                    model: task.model.digest,
                    update: digest,
                    updateByteCount: size,
                    layout: task.model.layout,
                    samples: 1000,
                    localLoss: 0.5,
                    createdAt: ConsortiumFixture.systemTime()
                )
                let bytes = manifest.wireBytes
                let update = SignedUpdate(
                    manifest: manifest,
                    manifestBytes: bytes,
                    signature: try key.sign(SignedUpdate.statement(bytes)),
                    certificate: certificate.der
                )
                answers.submissions.append(try await Self.submit(control, update))
            }
            return answers
        }
        #expect(
            answers
                == Answers(
                    offers: ["durable 0, complete false", "durable 0, complete false"],
                    submissions: [.blobMissing, .blobMissing]
                )
        )
        #expect(consortium.campaign["updates_accepted"] as? Int == 1)
        await honest.stop()
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func whatASiteSentAndNobodyTookGoesAtTheEndOfTheSecondRound() throws {
        let blobs = try BlobStore(directory: directory.file("blobs"))
        let (incoming, site) = (IncomingBlobs(blobs), SiteID("acme/osaka")!)
        func send(_ text: String, upTo count: Int? = nil) throws {
            let bytes = Array(text.utf8)
            let spool = try incoming.store(of: site).spool(Digest(of: text), byteCount: UInt64(bytes.count))
            try bytes[Int(spool.receivedBytes)..<(count ?? bytes.count)].withUnsafeBytes {
                _ = try spool.append($0, at: spool.receivedBytes)
            }
        }
        let needed = try blobs.add(copyOf: directory.write("needed", Array("needed".utf8))).digest
        let unneeded = try blobs.add(copyOf: directory.write("unneeded", Array("unneeded".utf8))).digest
        try send("old")
        try send("given up", upTo: 3)
        try send("growing", upTo: 3)
        let sweeper = BlobGarbageCollector(blobs, incoming)
        #expect(sweeper.needsAll(wasAbandoned: false))
        #expect(try sweeper.sweep(needed: [needed]).isEmpty)
        try send("new")
        try send("growing", upTo: 5)
        #expect(sweeper.needsAll(wasAbandoned: false))
        let removed = try sweeper.sweep(needed: [needed])
        #expect(Set(removed.map(\.digest)) == [unneeded, Digest(of: "old"), Digest(of: "given up")])
        #expect(Set(removed.map(\.site)) == [nil, site])
        let store = try incoming.store(of: site)
        #expect(
            blobs.contains(needed) && !blobs.contains(unneeded) && store.contains(Digest(of: "new"))
                && !store.contains(Digest(of: "old"))
        )
        #expect(store.unfinished().keys.map(\.self) == [Digest(of: "growing")])
    }

    private static func task(_ control: ClientConnection) async throws -> TrainingTask {
        try await withTimeout(.seconds(60), "the task") {
            while let frame = try await control.inbox.next() {
                if case .assignment(.train(let task)) = frame.message { return task }
                // The site sends a heartbeat now and then.
                try await Task.sleep(for: .milliseconds(100))
                try await control.send(.heartbeat(Heartbeat()), id: 100)
            }
            throw TransportError(.closed, "the coordinator closed the connection")
        }
    }

    private static func offer(_ dialer: Dialer, _ digest: Digest, _ size: UInt64) async throws -> String {
        try await dialer.withConnection(.bulk, software: "test") { bulk in
            try await bulk.send(.offerBlob(digest, byteCount: size), id: 2)
            guard case .blobProgress(let durable, let complete)? = try await bulk.inbox.next()?.message else {
                return "something else"
            }
            return "durable \(durable), complete \(complete)"
        }
    }

    private static func submit(_ control: ClientConnection, _ update: SignedUpdate) async throws -> UpdateRefusal
        .Reason?
    {
        try await control.send(.submitUpdate(update), id: 200)
        while let frame = try await control.inbox.next() {
            guard frame.inReplyTo == 200 else { continue }
            if case .updateRefused(let refusal) = frame.message { return refusal.reason }
            return nil
        }
        return nil
    }
}
