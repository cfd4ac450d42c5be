import Foundation
import Identity
import TestKit
import Testing

/// What `worker doctor` finds at a site, without a coordinator.
@Suite(.serialized) struct DoctorTests {
    private func doctor(_ consortium: Consortium) throws -> Shell.Outcome {
        try consortium.attempt(["worker", "doctor", "--config", consortium.path("acme-osaka/worker.toml")])
    }

    @Test func theDataDirectoryAndTheDemonstrationsAreOpened() throws {
        let consortium = try Consortium(sites: 1)
        let data = consortium.path("acme-osaka/data")
        let sound = try doctor(consortium)
        #expect(sound.status == 4 && sound.output.contains("ok    data directory: \(data) is not there"), "\(sound)")
        #expect(sound.output.contains("FAIL  demonstrations: there is no model to check the demonstrations against"))
        #expect(!FileManager.default.fileExists(atPath: data))
        for (place, problem) in [("ca.pem", "ca.pem is a file, not a directory"), ("ca.pem/data", "ca.pem is a file")] {
            try consortium.edit("acme-osaka/worker.toml", "data = \"data\"", "data = \"\(place)\"")
            let outcome = try doctor(consortium)
            // The first check that fails.
            #expect(outcome.status == 6 && outcome.output.contains("FAIL  data directory: "), "\(outcome)")
            #expect(outcome.output.contains(problem), "\(outcome)")
            try consortium.edit("acme-osaka/worker.toml", "data = \"\(place)\"", "data = \"data\"")
        }
        try consortium.edit("acme-osaka/worker.toml", Repository.example("sites/window-open.hdf5"), "/nowhere")
        let gone = try doctor(consortium)
        #expect(gone.output.contains("FAIL  demonstrations: /nowhere does not exist"), "\(gone)")
    }

    @Test func aKeyThatDoesNotBelongToTheCertificateIsSaidOnce() throws {
        let consortium = try Consortium(sites: 1)
        try FileManager.default.removeItem(atPath: consortium.path("acme-osaka/key.pem"))
        try IdentityFile.create(PrivateKey.generate(), at: consortium.path("acme-osaka/key.pem"))
        let outcome = try doctor(consortium), output = outcome.output
        #expect(outcome.status == 6 && output.contains("(identity.key in "), "\(outcome)")
        #expect(output.components(separatedBy: "is not the key of").count == 2, "\(output)")
        #expect(output.contains("FAIL  coordinator: not asked"), "\(output)")
    }
}
