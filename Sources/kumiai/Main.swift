import Dispatch
import Foundation
import KumiaiCommands

@main
struct Main {
    /// Not asynchronous: what runs asynchronous code opens descriptors, and standard output must not be one of them.
    static func main() {
        Kumiai.prepare()
        Task { exit(await Kumiai.perform()) }
        dispatchMain()
    }
}
