/* The remote-free protocol, sequentially consistent: remote free, inbox, release and re-use, thread
   exit, adoption, stealing, poll mark, spans, the late record. docs/protocols/remote_free.md has the
   rows; test_model.py says which configurations run and what each mutation (M_*) must violate.

   Every process loops for ever over a finite state, so a finished search is complete for its size.
   A page has two blocks, ONE WORD PER BLOCK, so that a drain is not atomic over a page.
   inbox word = page + 1 (bits 0..1) | 8 = ORPHAN tag

   Size: NO owners, NF freers, BLK which of the four blocks are used.
   Parts: POLLMARK (RF.17), SPAN (page 1 may be a span; record locks), LATE (the late record, number 2;
   page 1 may be its), NO_STEAL.
   Properties: P_AT_OWNER (with POLLMARK: every set bit is findable by the page's owner);
   P_FREE_NOT_LINKED (a free page has no token) is false whatever the release tests (DOC_RELEASE). */
#ifndef NF
#define NF 2
#endif
#ifndef NO
#define NO 2
#endif
#define NP 2
#ifndef BLK
#define BLK 15
#endif
#define ON(b) ((BLK>>b)&1)
#ifdef LATE
#define NR 3
#else
#define NR 2
#endif
#define LOCAL 0
#define LIVE 1
#define FREEING 2
#define INBIT 3
#define TAG 8
#define ME (_pid+1)
#define STK 99

byte owner[NP];            /* 0 = free, else record+1 */
bit  pend[NP];             /* the token */
byte link[NP];
byte tok[NP];              /* ghost: 0 none, pid+1 in a hand, STK in a stack */
byte used[NP];
byte st[4]; bit word[4];   /* block b belongs to page b/2 */
byte inbox[NR];
bit  inpool[NR];
byte auth[NR];             /* ghost: who may act for the record, 0 nobody */
bit  lock;
#ifdef SPAN
bit  span[NP];             /* one block, the even one; its freer releases it */
bit  rlock[NR];
#define LOCK_RECORD(r) atomic { !rlock[r] -> rlock[r]=1 }
#define UNLOCK_RECORD(r) rlock[r]=0
#define ORDINARY(p) (!span[p])
#define RLOCK_FREE(r) (!rlock[r])
#else
#define LOCK_RECORD(r) skip
#define UNLOCK_RECORD(r) skip
#define ORDINARY(p) true
#define RLOCK_FREE(r) true
#endif
#ifdef LATE
bit  latelock;
bit  ready;
#define RECORD_LATE 3      /* its number + 1 */
#endif
byte busy;
bit poll[NP];
#define INL(r,q) ((inbox[r]&3)==q+1 || ((inbox[r]&3)!=0 && link[(inbox[r]&3)-1]==q+1))

inline release(p) {        /* by the authority of the record that owns p */
  assert(used[p]==0 && !word[2*p] && !word[2*p+1]);
  assert(st[2*p]==LOCAL && st[2*p+1]==LOCAL);
  assert(auth[owner[p]-1]==ME);
  assert(ORDINARY(p) || RLOCK_FREE(owner[p]-1));
  owner[p]=0; poll[p]=0
}
#ifdef DOC_RELEASE
#define MAYRELEASE(p) (used[p]==0 && !pend[p])
#else
#define MAYRELEASE(p) (used[p]==0)
#endif

inline notify(p) {
  do
#ifndef RMW_ALWAYS
  :: atomic { pend[p] -> o=0; break }
  :: atomic { !pend[p] -> skip };
#else
  :: true ->
#endif
     atomic { if :: pend[p] -> fl=1
                 :: else -> pend[p]=1; assert(tok[p]==0); tok[p]=ME; fl=0 fi };
     if :: atomic { fl -> fl=0; o=0; break } :: else fi;
#ifndef OWNER_EARLY
     o = owner[p];
#endif
     if
     :: o==0 ->
#ifdef M_ZERO_NO_RECHECK
        atomic { assert(tok[p]==ME); pend[p]=0; tok[p]=0; break }
#else
        atomic { assert(tok[p]==ME); pend[p]=0; tok[p]=0 };
        if :: owner[p]==0 -> break :: else fi
#endif
     :: else ->
        do
        :: atomic { h = inbox[o-1]; assert(tok[p]==ME); link[p] = h & 3 };
           atomic { if :: inbox[o-1]==h ->
                         inbox[o-1] = (h & TAG) | (p+1); assert(tok[p]==ME); tok[p]=STK;
                         fl=0;
#ifndef M_NO_REAP
                         if :: (h & TAG) -> fl=1 :: else fi;
#endif
                         h=0; break
                       :: else fi }
        od;
        if
        :: atomic { !fl -> o=0 }
#ifdef LATE
        :: atomic { fl && o==RECORD_LATE -> wantlate=1; fl=0; o=0 }
        :: fl && o!=RECORD_LATE ->
#else
        :: fl ->
#endif
           atomic { !lock -> fl=0;
             if :: inpool[o-1] -> assert(want==0); inpool[o-1]=0; assert(auth[o-1]==0); auth[o-1]=ME; want=o
                :: else fi;
             o=0 }
        fi;
        break
     fi
  od
}

/* take everything; NEWTAG is what stays in the word */
inline takeall(r, keep) {
  atomic { L = inbox[r] & 3; inbox[r] = keep;
    if :: L==0
       :: else -> assert(tok[L-1]==STK); tok[L-1]=ME;
          if :: link[L-1]==0
             :: else -> assert(tok[link[L-1]-1]==STK); tok[link[L-1]-1]=ME; assert(link[link[L-1]-1]==0) fi
    fi }
}

inline takeword(p,i) {
  atomic { if :: word[2*p+i] -> word[2*p+i]=0; assert(st[2*p+i]==INBIT); assert(owner[p]==w+1 && auth[w]==ME);
                 st[2*p+i]=LOCAL; assert(used[p]>0); used[p]--
              :: else fi }
}
/* work off the taken list L with the authority of record w */
inline process() {
  do
  :: atomic { L==0 -> p=0; break }
  :: L!=0 -> p = L-1;
#ifdef M_LINK_AFTER_CLEAR
     atomic { assert(tok[p]==ME); pend[p]=0; tok[p]=0 };
     L = link[p];
#else
     atomic { L = link[p]; link[p]=0 };
#ifdef M_OWNER_BEFORE_CLEAR
     o = owner[p];
#endif
#ifdef M_WORDS_BEFORE_CLEAR
     if :: owner[p]==w+1 && ORDINARY(p) -> takeword(p,0); takeword(p,1) :: else fi;
#endif
     atomic { assert(tok[p]==ME); pend[p]=0; tok[p]=0 };
#endif
#ifndef M_OWNER_BEFORE_CLEAR
     o = owner[p];
#endif
     if
#ifdef SPAN
     :: atomic { o==w+1 && span[p] -> o=0 }
#endif
     :: atomic { o==w+1 && ORDINARY(p) -> o=0; poll[p]=0 };
#ifndef M_WORDS_BEFORE_CLEAR
        takeword(p,0); takeword(p,1);
#endif
        atomic { if :: MAYRELEASE(p) -> release(p) :: true fi }
     :: o==0 -> skip
     :: else ->
#ifdef M_NO_FORWARD
        o=0
#else
        notify(p)
#endif
     fi
  od
}
/* give a record back to the pool: only with an empty inbox, tag and insertion in one lock hold */
inline putback() {
  do
  ::
#ifdef M_PUTBACK_BLIND      /* drain first, then mark: pushes in between are stranded */
     LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w);
     atomic { !lock -> lock=1 };
     atomic { inbox[w] = inbox[w] | TAG; inpool[w]=1; auth[w]=0; w=0 }; lock=0; break
#else
#ifndef M_PUTBACK_NOLOCK
     atomic { !lock -> lock=1 };
#endif
     if
     :: atomic { inbox[w]==0 -> inbox[w]=TAG };
        atomic { inpool[w]=1; auth[w]=0;
#ifndef M_PUTBACK_NOLOCK
                 lock=0;
#endif
                 w=0; break }
     :: else ->
#ifndef M_PUTBACK_NOLOCK
        lock=0;
#endif
        LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w)
     fi
#endif
  od
}
inline reapall() {          /* the orphan that a push met, taken out of the pool; the late record */
  do
#ifdef LATE
  :: atomic { want==0 && !wantlate -> w=0; break }
  :: wantlate -> wantlate=0;
     atomic { !latelock -> latelock=1; assert(auth[2]==0); auth[2]=ME; w=2 };
     LOCK_RECORD(w); takeall(w,TAG); process(); UNLOCK_RECORD(w);
     atomic { auth[2]=0; latelock=0; w=0 }
#else
  :: atomic { want==0 -> w=0; break }
#endif
  :: atomic { want!=0 -> w=want-1; want=0 };
     LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w); putback()
  od
}
#ifdef SPAN
/* RF.12a */
inline freespan(p) {
  do
  :: o = owner[p];
     LOCK_RECORD(o-1);
     if
     :: atomic { owner[p]==o -> assert(word[2*p] && st[2*p]==INBIT && span[p]);
          word[2*p]=0; st[2*p]=LOCAL; used[p]--; assert(used[p]==0);
          owner[p]=0; poll[p]=0; span[p]=0 };
        UNLOCK_RECORD(o-1); o=0; break
     :: else -> UNLOCK_RECORD(o-1)
     fi
  od
}
#endif
#ifdef LATE
#define WANTS byte want; bit wantlate
#else
#define WANTS byte want
#endif

proctype Freer() {
  byte b,p,o,h,L,w; bit fl; WANTS;
#ifdef SPAN
  bit isspan;
#endif
end:
  do
  :: atomic { if :: st[0]==LIVE -> b=0 :: st[1]==LIVE -> b=1 :: st[2]==LIVE -> b=2 :: st[3]==LIVE -> b=3 fi;
       st[b]=FREEING; p=b/2; busy++; o=owner[p]; assert(o!=0);
#ifndef OWNER_EARLY
       o=0;
#endif
#ifdef SPAN
       isspan=span[p];
#endif
     };
     atomic { assert(!word[b]); word[b]=1; st[b]=INBIT; b=0 };
#ifdef SPAN
#ifdef M_KIND_LATE
     isspan=span[p];
#endif
     if
     :: isspan -> isspan=0; freespan(p)
     :: else -> notify(p)
     fi;
#else
     notify(p);
#endif
     p=0; o=0;
     reapall();
     busy--
  od
}

proctype Own(byte r) {      /* r: record+1, 0 = this thread has exited (a new one may start) */
  byte p,o,h,L,w; bit fl; WANTS;
end:
  do
  /* malloc */
  :: atomic { r!=0 && ON(0) && owner[0]==r && ORDINARY(0) && st[0]==LOCAL -> assert(auth[r-1]==ME); st[0]=LIVE; used[0]++ }
  :: atomic { r!=0 && ON(1) && owner[0]==r && ORDINARY(0) && st[1]==LOCAL -> st[1]=LIVE; used[0]++ }
  :: atomic { r!=0 && ON(2) && owner[1]==r && ORDINARY(1) && st[2]==LOCAL -> st[2]=LIVE; used[1]++ }
  :: atomic { r!=0 && ON(3) && owner[1]==r && ORDINARY(1) && st[3]==LOCAL -> st[3]=LIVE; used[1]++ }
  /* local free */
  :: atomic { r!=0 && owner[0]==r && st[0]==LIVE -> st[0]=LOCAL; used[0]-- }
  :: atomic { r!=0 && owner[1]==r && st[2]==LIVE -> st[2]=LOCAL; used[1]-- }
  /* release an empty page */
  :: atomic { r!=0 && owner[0]==r && MAYRELEASE(0) && RLOCK_FREE(r-1) -> release(0)
#ifdef SPAN
       ; span[0]=0
#endif
     }
  :: atomic { r!=0 && owner[1]==r && MAYRELEASE(1) && RLOCK_FREE(r-1) -> release(1)
#ifdef SPAN
       ; span[1]=0
#endif
     }
  /* a fresh page (new generation) */
  :: atomic { r!=0 && owner[0]==0 && RLOCK_FREE(r-1) ->
#ifdef M_INIT_RESET
      pend[0]=0; link[0]=0;
#endif
      owner[0]=r;
#ifdef POLLMARK
      busy++ };
      atomic { poll[0]=pend[0]; busy-- }
#else
      }
#endif
  :: atomic { r!=0 && owner[1]==0 && RLOCK_FREE(r-1) ->
#ifdef M_INIT_RESET
      pend[1]=0; link[1]=0;
#endif
      owner[1]=r;
#ifdef POLLMARK
      busy++ };
      atomic { poll[1]=pend[1]; busy-- }
#else
      }
#endif
#ifdef SPAN
  /* a span: its block is the user's from the start */
  :: atomic { r!=0 && owner[1]==0 && RLOCK_FREE(r-1) -> owner[1]=r; span[1]=1; st[2]=LIVE; used[1]=1 }
#endif
  /* drain */
  :: atomic { r!=0 && inbox[r-1]!=0 -> busy++; w=r-1 }; LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w); reapall(); busy--
#ifdef OWNER_POLLS
  :: atomic { r!=0 && owner[0]==r && word[0] -> word[0]=0; st[0]=LOCAL; used[0]-- }
  :: atomic { r!=0 && owner[1]==r && ORDINARY(1) && word[2] -> word[2]=0; st[2]=LOCAL; used[1]-- }
#endif
  /* exit: the whole record goes to the pool */
  :: atomic { r!=0 -> busy++; w=r-1; r=0 }; putback(); reapall(); busy--
  /* a new thread adopts */
  :: atomic { r==0 && !lock && (inpool[0]||inpool[1]) -> busy++;
        if :: inpool[0] -> w=0 :: inpool[1] -> w=1 fi; inpool[w]=0; assert(auth[w]==0); auth[w]=ME };
     LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w); atomic { r=w+1; w=0 }; reapall(); busy--
#ifndef NO_STEAL
  /* steal one page of an orphan */
  :: atomic { r!=0 && !lock && inpool[2-r] -> busy++; w=2-r; inpool[w]=0; assert(auth[w]==0); auth[w]=ME };
     LOCK_RECORD(w); takeall(w,0); process(); UNLOCK_RECORD(w);
     if :: atomic { owner[0]==w+1 && ORDINARY(0) -> assert(auth[w]==ME); owner[0]=r };
#ifdef POLLMARK
           if :: pend[0] -> poll[0]=1 :: else fi
#else
           skip
#endif

        :: atomic { owner[1]==w+1 && ORDINARY(1) -> assert(auth[w]==ME); owner[1]=r };
#ifdef POLLMARK
           if :: pend[1] -> poll[1]=1 :: else fi
#else
           skip
#endif

        :: true fi;
     putback(); reapall(); busy--
#endif
#ifdef M_STEAL_LIVE          /* steal from a live owner */
  :: atomic { r!=0 && owner[0]!=0 && owner[0]!=r -> owner[0]=r }
#endif
  od
}

#ifdef LATE
/* a thread after its end: allocates from the late record, frees remotely (that is Freer) */
#define BEGIN_LATE atomic { !latelock -> latelock=1; assert(auth[2]==0); auth[2]=ME; busy++ }
#define END_LATE atomic { auth[2]=0; latelock=0; busy-- }
proctype LateUser() {
end:
  do
  :: BEGIN_LATE;
     if
     :: atomic { owner[1]==0 -> owner[1]=RECORD_LATE };
#ifdef POLLMARK
        poll[1]=pend[1]
#endif
     :: atomic { owner[1]==RECORD_LATE && ON(2) && st[2]==LOCAL -> st[2]=LIVE; used[1]++ }
     :: atomic { owner[1]==RECORD_LATE && ON(3) && st[3]==LOCAL -> st[3]=LIVE; used[1]++ }
     :: atomic { owner[1]==RECORD_LATE && MAYRELEASE(1) -> release(1) }
     :: else
     fi;
     END_LATE
  od
}
#endif

/* whenever nobody is inside the allocator: every set bit is on its way */
active proctype Mon() {
end:
  do
  :: atomic { busy==0 ->
       assert(!lock);
       if :: (st[0]==INBIT || st[1]==INBIT) -> assert(tok[0]==STK && pend[0]) :: else fi;
       if :: (st[2]==INBIT || st[3]==INBIT) -> assert(tok[1]==STK && pend[1]) :: else fi;
#ifdef LATE
       assert(!ready || (inbox[2]==TAG && !latelock));
#endif
       assert(pend[0]==(tok[0]==STK)); assert(pend[1]==(tok[1]==STK));
       assert(!(inpool[0] && inbox[0]!=TAG));      /* nothing sleeps in an orphan */
       assert(!(inpool[1] && inbox[1]!=TAG));
#ifdef P_AT_OWNER
       if :: (st[0]==INBIT || st[1]==INBIT) -> assert(poll[0] || INL(owner[0]-1,0)) :: else fi;
       if :: (st[2]==INBIT || st[3]==INBIT) -> assert(poll[1] || INL(owner[1]-1,1)) :: else fi;
#endif
#ifdef P_FREE_NOT_LINKED
       assert(!(owner[0]==0 && pend[0])); assert(!(owner[1]==0 && pend[1]));
#endif
     }
  od
}
init {
  atomic {
    owner[0]=1; owner[1]=NO;
    auth[0]=1+2;  /* pid of the first Own is 2 */
    run Own(1);
#if NO==2
    auth[1]=1+3; run Own(2);
#endif
#ifdef LATE
    inbox[2]=TAG; ready=1;
    run LateUser();
#endif
    run Freer();
#if NF==2
    run Freer();
#endif
  }
}
