import TestKit
import Testing

/// What suites about one recorded file share: its path, and the check of an error's text.
protocol RecordingFixture {
    var directory: TemporaryDirectory { get }
}

extension RecordingFixture {
    var path: String { directory.file("recorded.hdf5") }

    func expect(_ problem: String?, says parts: String..., at location: SourceLocation = #_sourceLocation) {
        for part in parts {
            #expect(problem?.contains(part) == true, "\(problem ?? "no error")", sourceLocation: location)
        }
    }
}
