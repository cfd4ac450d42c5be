import Federation
import Logging
import TestKit
import Testing

@testable import Worker

/// What a worker's log says of what happened.
struct WorkerLogTests {
    @Test func theHintOfATrainerIsShown() throws {
        let directory = try TemporaryDirectory()
        let lines = LogLines()
        let log = WorkerLog(Logger(label: "site") { _ in lines }, directory: directory.path)
        let key = RoundKey(round: 1, attempt: 1)
        log.observe(.trainingFailed(key, WorkerFailure("no GPU", hint: "set CUDA_VISIBLE_DEVICES")))
        log.observe(.trainingFailed(key, WorkerFailure("no data")))
        #expect(lines.contains("hint=set CUDA_VISIBLE_DEVICES; the training is retried"), "\(lines.all)")
        #expect(lines.contains("hint=run kumiai worker doctor; the training is retried"), "\(lines.all)")
    }
}
