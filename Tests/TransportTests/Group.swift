import NIOCore
import NIOPosix

extension EventLoopGroup where Self == MultiThreadedEventLoopGroup {
    static var singletonForTests: MultiThreadedEventLoopGroup { MultiThreadedEventLoopGroup.singleton }
}
