import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Worker

/// What suites about certificates share.
protocol CertificateFixture {}

extension CertificateFixture {
    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    func status(_ consortium: Consortium, _ name: String) throws -> Shell.Outcome {
        try consortium.directory.write("\(name)/operator.toml", consortium.directory.read("operator/operator.toml"))
        return try consortium.attempt(["coordinator", "status", "--config", consortium.path("\(name)/operator.toml")])
    }

    func fail(_ what: Comment) { Issue.record(what) }
}
